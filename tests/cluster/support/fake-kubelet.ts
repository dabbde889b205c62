import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Server, createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { CoreV1Api, setHeaderOptions } from "@kubernetes/client-node";
import type { ControlPlane } from "./control-plane.ts";

const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

/** What one pod's runner has written. Emits `more`. */
class PodLog extends EventEmitter {
  readonly lines: string[] = [];
  /** Of a container that has written nothing there is nothing to wait for. */
  isOver = true;
  followers = 0;
}

/** The kubelet of a node of kwok's, as far as logs go: the API server asks it, the test writes. Of kubelet it has `follow`. */
export class FakeKubelet {
  readonly #logs = new Map<string, PodLog>();
  #server: Server | undefined;

  async serve(plane: ControlPlane, node: string): Promise<void> {
    const pki = join(plane.directory, "pki/apiserver");
    const [key, cert] = await Promise.all([readFile(`${pki}.key`), readFile(`${pki}.crt`)]);
    this.#server = createServer({ key, cert }, (request, response) => {
      void this.#answer(request, response);
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo;
    const body = { status: { daemonEndpoints: { kubeletEndpoint: { Port: port } } } };
    await plane.admin().makeApiClient(CoreV1Api).patchNodeStatus({ name: node, body }, mergePatch);
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
  }

  write(pod: string, ...texts: readonly string[]): void {
    const log = this.#log(pod);
    log.isOver = false;
    log.lines.push(...texts);
    log.emit("more");
  }

  /** The container is over: who follows has the end. */
  end(pod: string): void {
    const log = this.#log(pod);
    log.isOver = true;
    log.emit("more");
  }

  followers(pod: string): number {
    return this.#log(pod).followers;
  }

  #log(pod: string): PodLog {
    const log = this.#logs.get(pod) ?? new PodLog().setMaxListeners(0);
    this.#logs.set(pod, log);
    return log;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", "https://kubelet");
    const [, what, , pod = ""] = pathname.split("/");
    if (what !== "containerLogs") {
      response.writeHead(404).end();
      return;
    }
    const log = this.#log(pod);
    let next = 0;
    const show = (): void => {
      for (const line of log.lines.slice(next)) response.write(`${line}\n`);
      next = log.lines.length;
    };
    response.writeHead(200, { "content-type": "text/plain" });
    response.flushHeaders();
    show();
    if (searchParams.get("follow") === "true") await follow(log, response, show);
    response.end();
  }
}

async function follow(log: PodLog, response: ServerResponse, show: () => void): Promise<void> {
  const left = new AbortController();
  response.on("close", () => left.abort());
  log.followers += 1;
  try {
    while (!log.isOver) {
      await once(log, "more", { signal: left.signal });
      show();
    }
  } catch {
    // Who followed has left.
  } finally {
    log.followers -= 1;
  }
}
