import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { v1 } from "@millrace/contracts";
import { releaseAtEnd } from "./cleanup.ts";
import { waitUntil } from "./wait-until.ts";

export interface Received {
  readonly headers: Readonly<Record<string, string>>;
  /** As it was signed. */
  readonly body: string;
  readonly payload: v1.WebhookPayload;
}

/** Answers one request; "never" holds it open. */
type ReceiverAnswer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | "never";

/** What a user has at the other end of a webhook: it takes what is posted, and answers as it is told. */
export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** What the next requests are answered with, one each; after them 204. */
  answerNext(...answers: readonly ReceiverAnswer[]): void;
  /** Resolves with the request of this number, from 0. */
  request(index: number): Promise<Received>;
}

/** Starts one on a free port of this machine, until the end of the test. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const answers: ReceiverAnswer[] = [];
  const server = createServer((request, response) => {
    void take(request, response);
  });
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const payload = v1.WebhookPayload.parse(JSON.parse(body));
    const headers = plainHeaders(request.headers);
    received.push({ headers, body, payload });
    reply(response, answers.shift() ?? { status: 204 });
  }
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  releaseAtEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    answerNext: (...next) => {
      answers.push(...next);
    },
    request: async (index) => {
      await waitUntil(`request ${index} at the receiver`, () => received.length > index);
      const request = received[index];
      if (request === undefined) throw new Error(`no request ${index}`);
      return request;
    },
  };
}

function reply(response: ServerResponse, answer: ReceiverAnswer): void {
  if (answer === "never") return;
  response.writeHead(answer.status, answer.headers);
  response.end("what a receiver says is of no interest");
}

function plainHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
