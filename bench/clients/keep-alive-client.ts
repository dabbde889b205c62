import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";

export interface Call {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Requests over at most `connections` connections that stay open. Cheap: `fetch` costs the client more than some servers. */
export class KeepAliveClient {
  readonly #agent: Agent;

  constructor(connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Fails on any status but 2xx. */
  send({ method, url, headers, body }: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = { "content-length": String(Buffer.byteLength(body ?? "")) };
      const request = httpRequest(url, {
        agent: this.#agent,
        method,
        headers: { ...headers, ...(method !== "GET" && length) },
      });
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          const answered = Buffer.concat(chunks);
          if (status >= 200 && status < 300) {
            return resolve({ headers: response.headers, body: answered });
          }
          const said = answered.toString("utf8", 0, 500);
          reject(new Error(`${url.pathname} answered ${status}: ${said}`));
        });
      });
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
