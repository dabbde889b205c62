import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface ProbeAnswers {
  /** Why the process should be restarted; undefined while it is well. */
  readonly sick: () => string | undefined;
  /** What is still missing before it can work; empty when it is ready. */
  readonly missing: () => readonly string[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** `/healthz`, `/readyz` and `/metrics`. */
export class ProbeServer {
  readonly #server: Server;

  constructor(answers: ProbeAnswers) {
    this.#server = createServer((request, response) => {
      const path = request.url?.split("?")[0];
      const isRead = request.method === "GET" || request.method === "HEAD";
      if (!isRead) end(response, 405, "only GET\n");
      else if (path === "/healthz") answer(response, answers.sick());
      else if (path === "/readyz") answer(response, answers.missing().join("\n"));
      else if (path === "/metrics") void sendMetrics(response, answers);
      else end(response, 404, "/healthz, /readyz, /metrics\n");
    });
  }

  /** Resolves with the port, once it is open. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function answer(response: ServerResponse, problem: string | undefined): void {
  if (problem) end(response, 503, `${problem}\n`);
  else end(response, 200, "ok\n");
}

async function sendMetrics(response: ServerResponse, answers: ProbeAnswers): Promise<void> {
  try {
    const { contentType, text } = await answers.metrics();
    end(response, 200, text, contentType);
  } catch {
    end(response, 500, "no metrics\n");
  }
}

function end(response: ServerResponse, status: number, text: string, type = "text/plain"): void {
  response.writeHead(status, { "content-type": type }).end(text);
}
