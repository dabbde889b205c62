import { randomUUID } from "node:crypto";
import { on } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  PoolToOperator,
  SessionRun,
  sessionPaths,
  sessionPod,
  type Repo,
  type SessionStart,
} from "@millrace/contracts";
import { WebSocket } from "ws";
import { releaseAtEnd } from "./cleanup.ts";
import type { FaultBench } from "./fault-bench.ts";
import type { Runner } from "./runner-process.ts";
import { makeTempDir } from "./temp.ts";

const pool = "default";

/** What a session's pod finds in its files. */
interface PodFiles {
  /** More of its container's environment. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Secret → key → value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Stands for an operator and its nodes: asks the edge for runs, and starts the runner of each attempt as a pod would. */
export class SessionHost {
  readonly #bench: FaultBench;
  readonly #starts: AsyncIterator<SessionStart>;

  private constructor(bench: FaultBench, starts: AsyncIterator<SessionStart>) {
    this.#bench = bench;
    this.#starts = starts;
  }

  static async join(bench: FaultBench): Promise<SessionHost> {
    const { url, poolToken } = bench.platform;
    const socket = new WebSocket(
      `${url.replace("http", "ws")}${sessionPaths.operatorSocket(pool)}`,
      {
        headers: { authorization: `Bearer ${poolToken}` },
      },
    );
    releaseAtEnd(() => socket.terminate());
    const starts = startsOn(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const hello = { type: "hello", operatorId: randomUUID(), version: "test", leader: true };
    socket.send(JSON.stringify(hello));
    return new SessionHost(bench, starts);
  }

  async createRun(prompt: string, repos: readonly Partial<Repo>[]): Promise<SessionRun> {
    const { url, poolToken } = this.#bench.platform;
    const session = { uid: randomUUID(), namespace: "team", name: "session" };
    const limits = { timeoutSeconds: null, startDeadlineSeconds: null };
    const response = await fetch(`${url}${sessionPaths.runs(pool)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${poolToken}`, "content-type": "application/json" },
      body: JSON.stringify({ prompt, owner: "alice", repos, session, ...limits }),
    });
    return SessionRun.parse(await response.json());
  }

  /** The runner of the next attempt that the platform asks for, on a disk of its own. */
  async nextPod(files: PodFiles = {}): Promise<Runner> {
    const { value: start } = (await this.#starts.next()) as { readonly value: SessionStart };
    const folder = await makeTempDir("pod");
    await mkdir(join(folder, "secrets"));
    for (const [name, entries] of Object.entries(files.secrets ?? {})) {
      await mkdir(join(folder, "secrets", name));
      for (const [key, value] of Object.entries(entries)) {
        await writeFile(join(folder, "secrets", name, key), value);
      }
    }
    await writeFile(join(folder, "token"), start.token);
    await writeFile(join(folder, "env.json"), JSON.stringify(files.env ?? {}));
    const { env } = sessionPod;
    return this.#bench.startRunner({
      env: {
        [env.mode]: sessionPod.mode,
        [env.runId]: start.runId,
        [env.attempt]: String(start.attempt),
        [env.orgId]: start.orgId,
        [env.projectId]: start.projectId,
        [env.tokenFile]: join(folder, "token"),
        [env.commandEnvFile]: join(folder, "env.json"),
        [env.commandSecretsDir]: join(folder, "secrets"),
        REPOS_FROM_LOOPBACK: "true",
        ...files.variables,
      },
    });
  }
}

/** Each attempt once, confirmed, however often it is told. */
async function* startsOn(socket: WebSocket): AsyncGenerator<SessionStart> {
  const known = new Set<string>();
  for await (const [data] of on(socket, "message")) {
    const message = PoolToOperator.parse(JSON.parse(String(data)));
    if (message.type !== "session.start") continue;
    socket.send(JSON.stringify({ type: "ack", key: message.key }));
    if (known.has(message.key)) continue;
    known.add(message.key);
    yield message;
  }
}
