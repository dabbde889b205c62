import { limits } from "@millrace/contracts";
import {
  readQuotas,
  streamSocketPath,
  type AppendAnswer,
  type CreateAnswer,
  type ProducerTry,
  type StreamFacts,
} from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import type { ZodType } from "zod";
import type { CallerEnv } from "../../edge-env.ts";
import { streamObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { openedReader } from "../../reader-place.ts";
import type { LogSource } from "./log-source.ts";
import { batchOfMessages } from "./message-batch.ts";
import { parseMessages, type ParsedMessages } from "./parse-messages.ts";
import { PostHeaders } from "./parse-post.ts";
import { PutConfig } from "./parse-put.ts";
import { offsetAfter, streamHeaders as headers, streamPrefix } from "./protocol.ts";
import { answerRead } from "./read-log.ts";

type Caller = Context<CallerEnv>;

/** General streams of the Durable Streams protocol: `/v1/stream/<name>`, where a name may hold slashes. */
export const streams = new Hono<CallerEnv>();

const path = `${streamPrefix}*`;

streams.use(path, async (c, next) => {
  const name = nameOf(c);
  if (c.var.caller.projectId !== null) {
    const message = "streams belong to the org: a key of one project opens none";
    return problem(c, "permission_denied", { message });
  }
  // The protocol keeps names under __ds/ for itself.
  if (name === "" || name.startsWith("__ds/")) return problem(c, "not_found");
  if (name.length > limits.streamNameMaxChars) {
    const message = `a stream's name has ${limits.streamNameMaxChars} characters at most`;
    return problem(c, "invalid_argument", { message });
  }
  return next();
});

/** Creates a stream: 201; 200 when it is there and the same; 409 when it is there and another. */
streams.put(path, async (c) => {
  const config = readHeaders(c, PutConfig);
  if (config instanceof Response) return config;
  const body = new Uint8Array(await c.req.arrayBuffer());
  const messages = parseMessages(body, config.contentType ?? "");
  // An empty batch is a way to say: nothing yet.
  const lines = messages.ok ? messages.lines : messages.code === "empty_array" ? [] : null;
  if (lines === null) return refuseMessages(c, messages);
  const address = { orgId: c.var.caller.orgId, name: nameOf(c) };
  const answer = await streamOf(c).create(address, config, lines);
  if (!answer.ok) return refuseCreate(c, answer.code);
  const { created, facts } = answer;
  const told = { ...factsOf(facts), ...(created && { location: new URL(c.req.url).href }) };
  return c.newResponse(null, created ? 201 : 200, { ...told, "content-type": facts.contentType });
});

/** Appends and closes. 204, or 200 when a producer's data is new. */
streams.post(path, async (c) => {
  const said = readHeaders(c, PostHeaders);
  if (said instanceof Response) return said;
  const body = new Uint8Array(await c.req.arrayBuffer());
  const missing = findMissing(body, said);
  if (missing !== null) return problem(c, "invalid_argument", { message: missing });
  const contentType = said.contentType ?? "";
  const messages = parseMessages(body, contentType);
  if (!messages.ok) return refuseMessages(c, messages);
  const answer = await streamOf(c).append({ ...said, contentType, lines: messages.lines });
  if (!answer.ok) return refuseAppend(c, answer, said.producer?.seq);
  const isNewData = said.producer !== null && answer.written && body.byteLength > 0;
  const told = { ...factsOf(answer.facts), ...producerOf(said.producer, answer.producerSeq) };
  return c.newResponse(null, isNewData ? 200 : 204, told);
});

/** Reads: catch-up, long-poll or server-sent events. HEAD answers what the stream is, and counts as no use. */
streams.get(path, async (c) => {
  if (c.req.method !== "HEAD") return answerRead(c, sourceOf(c));
  const answer = await streamOf(c).facts();
  if (!answer.ok) return problem(c, answer.code);
  const { facts } = answer;
  return c.newResponse(null, 200, {
    ...factsOf(facts),
    "content-type": facts.contentType,
    "cache-control": "no-store",
    ...(facts.ttlSeconds !== null && { [headers.ttl]: String(facts.ttlSeconds) }),
    ...(facts.expiresAt !== null && {
      [headers.expiresAt]: new Date(facts.expiresAt).toISOString(),
    }),
  });
});

/** Deletes a stream; one with forks keeps its name taken until the last of them is gone. */
streams.delete(path, async (c) => {
  const answer = await streamOf(c).remove();
  return answer.ok ? c.body(null, 204) : problem(c, answer.code);
});

/** The path's rest as it was sent: escapes are part of the name. */
function nameOf(c: Caller): string {
  return new URL(c.req.url).pathname.slice(streamPrefix.length);
}

function streamOf(c: Caller) {
  return streamObject(c.env, c.var.caller.orgId, nameOf(c));
}

function sourceOf(c: Caller): LogSource {
  const stream = streamOf(c);
  return {
    page: async (after, chars) => {
      const answer = await stream.read(after, chars);
      return answer.ok ? { ...answer.facts, rows: answer.rows } : answer.code;
    },
    open: async (after) => {
      const url = `https://stream${streamSocketPath}?after=${after}`;
      return openedReader(await stream.fetch(url, { headers: { upgrade: "websocket" } }));
    },
    batchOf: batchOfMessages,
  };
}

function factsOf({ tail, closed }: StreamFacts): Record<string, string> {
  return {
    [headers.nextOffset]: offsetAfter(tail),
    ...(closed && { [headers.closed]: "true" }),
  };
}

function producerOf(producer: ProducerTry | null, last: number | null): Record<string, string> {
  if (producer === null) return {};
  return {
    [headers.producerEpoch]: String(producer.epoch),
    [headers.producerSeq]: String(last ?? producer.seq),
  };
}

function findMissing(
  body: Uint8Array,
  said: { readonly contentType: string | null; readonly close: boolean },
): string | null {
  if (body.byteLength > 0) return said.contentType === null ? "Content-Type: is required" : null;
  return said.close ? null : `body: must not be empty, unless ${headers.closed} is true`;
}

function readHeaders<Parsed>(c: Caller, schema: ZodType<Parsed>): Parsed | Response {
  const parsed = schema.safeParse(c.req.header());
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = String(issue?.path[0] ?? "headers");
  const message = `${field}: ${issue?.message ?? "invalid"}`;
  return problem(c, "invalid_argument", { message, details: { field } });
}

function refuseMessages(c: Caller, refused: ParsedMessages): Response {
  if (refused.ok || refused.code === "invalid_json") return problem(c, "invalid_json");
  if (refused.code === "too_large") {
    const message = `a message has ${limits.streamMessageMaxChars} characters at most`;
    return problem(c, "payload_too_large", { message });
  }
  return problem(c, "invalid_argument", { message: "body: an empty array appends nothing" });
}

function addHeaders(c: Caller, added: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(added)) c.header(name, value);
}

type Refused<Answer> = Extract<Answer, { readonly ok: false }>;

/** Trying again makes no room: this is no 429. */
function refuseFull(c: Caller): Response {
  const max = readQuotas(c.env).LIMIT_STREAM_BYTES;
  const message = `a stream may hold ${max} bytes: go on in another`;
  return problem(c, "payload_too_large", { message, details: { limit: "stream_bytes", max } });
}

function refuseCreate(c: Caller, code: Refused<CreateAnswer>["code"]): Response {
  switch (code) {
    case "conflict":
      return problem(c, "conflict", { message: "another stream has this name" });
    case "source_not_found":
      return problem(c, "not_found", { message: `${headers.forkedFrom}: no such stream` });
    case "source_gone":
      return problem(c, "conflict", { message: `${headers.forkedFrom}: was deleted` });
    case "full":
      return refuseFull(c);
    case "source_type":
      return problem(c, "conflict", { message: "Content-Type: is not the source's" });
    case "fork_beyond_end": {
      const message = `${headers.forkOffset}: is beyond the source's end`;
      return problem(c, "invalid_argument", { message });
    }
  }
}

function refuseAppend(
  c: Caller,
  answer: Refused<AppendAnswer>,
  receivedSeq: number | undefined,
): Response {
  switch (answer.code) {
    case "not_found":
    case "gone":
      return problem(c, answer.code);
    case "closed":
      addHeaders(c, factsOf(answer.facts));
      return problem(c, "conflict", { message: "the stream is closed" });
    case "content_type":
      return problem(c, "conflict", { message: "Content-Type: is not the stream's" });
    case "full":
      return refuseFull(c);
    case "stream_seq":
      return problem(c, "conflict", { message: `${headers.seq}: is not after the last one` });
    case "bad_start":
      return problem(c, "invalid_argument", { message: "a new epoch starts with Producer-Seq 0" });
    case "stale":
      c.header(headers.producerEpoch, String(answer.epoch));
      return problem(c, "fenced", { message: "a newer epoch of this producer has written" });
    case "gap":
      c.header(headers.expectedSeq, String(answer.expected));
      c.header(headers.receivedSeq, String(receivedSeq));
      return problem(c, "conflict", { message: `Producer-Seq: ${answer.expected} is next` });
  }
}
