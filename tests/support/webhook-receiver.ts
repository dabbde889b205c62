import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { v1 } from "@millrace/contracts";
import type { ZodType } from "zod";
import { releaseAtEnd } from "./cleanup.ts";
import { waitUntil } from "./wait-until.ts";

export interface Received<Payload = v1.WebhookPayload> {
  readonly headers: Readonly<Record<string, string>>;
  /** As it was signed. */
  readonly body: string;
  readonly payload: Payload;
}

/** Answers one request; "never" holds it open. */
type ReceiverAnswer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | "never";

/** What a user has at the other end of a webhook: it takes what is posted, and answers as it is told. */
export interface WebhookReceiver<Payload = v1.WebhookPayload> {
  readonly url: string;
  readonly received: readonly Received<Payload>[];
  /** What the next requests are answered with, one each; after them 204. */
  answerNext(...answers: readonly ReceiverAnswer[]): void;
  /** Resolves with the request of this number, from 0. */
  request(index: number): Promise<Received<Payload>>;
}

/** Starts one for the news of runs on a free port of this machine, until the end of the test. */
export function startWebhookReceiver(): Promise<WebhookReceiver> {
  return startReceiver(v1.WebhookPayload);
}

/** The same for other news. `usual`: what is answered when nothing else was asked for. */
export async function startReceiver<Payload>(
  schema: ZodType<Payload>,
  usual: ReceiverAnswer = { status: 204 },
): Promise<WebhookReceiver<Payload>> {
  const received: Received<Payload>[] = [];
  const answers: ReceiverAnswer[] = [];
  const server = createServer((request, response) => {
    void take(request, response);
  });
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const payload = schema.parse(JSON.parse(body));
    const headers = plainHeaders(request.headers);
    received.push({ headers, body, payload });
    reply(response, answers.shift() ?? usual);
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
  response.end(
    answer.status === 204 ? undefined : (answer.body ?? "what a receiver says is of no interest"),
  );
}

function plainHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
