import {
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
  request as requestHttp,
} from "node:http";
import { request as requestHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { KubeConfig } from "@kubernetes/client-node";

export interface Write {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly body: string;
}

export type Moment = "before" | "after";

/** Whether the world goes on; false cuts the connection. */
type Told = (write: Write, moment: Moment) => Promise<boolean>;

/** A server, or an API server together with who asks it. */
type Target = KubeConfig | { readonly url: string };

/**
 * A way to a server on which the test hears of each write: right before it leaves for the server, and right after the
 * server has done it, before its answer goes back. Reads, watches and sockets pass.
 */
export class WriteProxy {
  readonly #url: string;
  readonly #tls: object;
  readonly #told: Told;
  readonly #server: Server;

  constructor(target: Target, told: Told) {
    this.#url =
      target instanceof KubeConfig ? (target.getCurrentCluster()?.server ?? "") : target.url;
    this.#tls = target instanceof KubeConfig ? tlsOf(target) : {};
    this.#told = told;
    this.#server = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    if (method === "GET") return this.#stream(request, response);
    const body = await buffer(request);
    const write = { method, path: url.split("?")[0] ?? url, body: body.toString("utf8") };
    if (!(await this.#told(write, "before"))) return cut(response);
    const answer = await this.#send(request, body);
    const text = await buffer(answer);
    if (!(await this.#told(write, "after"))) return cut(response);
    response.writeHead(answer.statusCode ?? 502, answer.headers).end(text);
  }

  async #stream(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#send(request, undefined, response);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  }

  #send(
    request: IncomingMessage,
    body: Buffer | undefined,
    response?: ServerResponse,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = this.#request(request, resolve);
      sent.on("error", (error) => {
        reject(error);
        response?.destroy();
      });
      response?.on("close", () => sent.destroy());
      sent.end(body);
    });
  }

  #request(
    { method, url = "/", headers }: IncomingMessage,
    answered?: (a: IncomingMessage) => void,
  ) {
    const target = new URL(url, this.#url);
    const options = { method, headers: { ...headers, host: target.host }, ...this.#tls };
    const send = target.protocol === "https:" ? requestHttps : requestHttp;
    return send(target, options, answered);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const sent = this.#request(request);
    sent.on("error", () => socket.destroy());
    sent.on("response", () => socket.destroy());
    sent.on("upgrade", (answer, far: Duplex, farHead: Buffer) => {
      const lines = Object.entries(answer.headers).map(
        ([name, value]) => `${name}: ${String(value)}`,
      );
      socket.write(["HTTP/1.1 101 Switching Protocols", ...lines, "", ""].join("\r\n"));
      far.write(head);
      socket.write(farHead);
      for (const [from, to] of [
        [far, socket],
        [socket, far],
      ] as const) {
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => to.destroy());
      }
    });
    sent.end();
  }
}

const pem = (data = ""): string => Buffer.from(data, "base64").toString("utf8");

function tlsOf(config: KubeConfig): object {
  const user = config.getCurrentUser();
  const ca = pem(config.getCurrentCluster()?.caData);
  return { ca, cert: pem(user?.certData), key: pem(user?.keyData) };
}

const cut = (response: ServerResponse): void => void response.socket?.destroy();
