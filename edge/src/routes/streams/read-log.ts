import type { Context } from "hono";
import { z } from "zod";
import type { CallerEnv } from "../../edge-env.ts";
import { problem } from "../../problem.ts";
import { sseStream } from "../../sse-bridge.ts";
import { letGo, socketOf, takeReaderPlace, tooManyReaders } from "../../reader-place.ts";
import { awaitNews } from "./await-news.ts";
import type { LogPage, LogSource } from "./log-source.ts";
import { cursorAfter, offsetAfter, parseOffset, streamHeaders as headers } from "./protocol.ts";
import { bodyOf, etagOf, type Batch } from "./render.ts";
import { framesOf, isEncoded } from "./sse-frames.ts";

const pageChars = 1024 * 1024;

const Query = z
  .object({
    offset: z.array(z.string()).max(1, "may be given once").default([]),
    live: z.enum(["long-poll", "sse"]).optional(),
    cursor: z.string().optional(),
  })
  .refine(({ offset, live }) => live === undefined || offset.length === 1, {
    path: ["offset"],
    message: "is required for live reads",
  })
  .transform(({ offset, ...rest }, context) => {
    const from = parseOffset(offset[0] ?? "-1");
    if (from !== null) return { ...rest, offset: from };
    const message = "must be -1, now, or an offset of this stream";
    context.addIssue({ code: "custom", path: ["offset"], message });
    return z.NEVER;
  });

interface Read {
  readonly page: LogPage;
  readonly after: number;
  readonly cursor: string | undefined;
}

/** Answers a GET of a log: catch-up, `live=long-poll` or `live=sse`, from `offset` on. */
export async function answerRead(c: Context<CallerEnv>, source: LogSource): Promise<Response> {
  const query = Query.safeParse({
    offset: c.req.queries("offset"),
    live: c.req.query("live"),
    cursor: c.req.query("cursor"),
  });
  if (!query.success) return refuseQuery(c, query.error.issues[0]);
  const { offset: from, live, cursor } = query.data;
  const page = await source.page(from === "now" ? Number.MAX_SAFE_INTEGER - 1 : from, pageChars);
  if (page instanceof Response) return page;
  if (typeof page === "string") return problem(c, page);
  const read = { page, after: from === "now" ? page.tail : from, cursor };
  switch (live) {
    case "sse":
      return followBySse(c, source, read);
    case "long-poll":
      return followByPoll(c, source, read);
    case undefined:
      return catchUp(c, source, read, from === "now");
  }
}

function refuseQuery(c: Context<CallerEnv>, issue: z.core.$ZodIssue | undefined): Response {
  const field = String(issue?.path[0] ?? "query");
  const message = `${field}: ${issue?.message ?? "invalid"}`;
  return problem(c, "invalid_argument", { message, details: { field } });
}

function catchUp(
  c: Context<CallerEnv>,
  source: LogSource,
  { page, after }: Read,
  isNow: boolean,
): Response {
  const batch = source.batchOf(page.rows, after);
  const isAtTail = batch.last >= page.tail;
  const answer = new Headers(positionOf(page, batch));
  if (isNow) answer.set("cache-control", "no-store");
  else {
    const etag = etagOf(page, after, batch.last);
    answer.set("etag", etag);
    // What lies before the tail never changes; at the tail a cached answer would hide what was just written.
    const cached = "private, max-age=60, stale-while-revalidate=300";
    answer.set("cache-control", isAtTail && !page.closed ? "private, no-cache" : cached);
    if (c.req.header("if-none-match") === etag) {
      return c.newResponse(null, { status: 304, headers: answer });
    }
  }
  answer.set("content-type", page.contentType);
  return c.newResponse(bodyOf(batch, page.contentType) as string, { status: 200, headers: answer });
}

async function followByPoll(
  c: Context<CallerEnv>,
  source: LogSource,
  { page, after, cursor }: Read,
): Promise<Response> {
  const atHand = source.batchOf(page.rows, after);
  const isOver = page.closed && after >= page.tail;
  const batch = atHand.isEmpty && !isOver ? await pollFor(c, source, after) : atHand;
  if (batch === null) return problem(c, "not_found");
  if (typeof batch === "string") return tooManyReaders(c, batch);
  const reached = { ...page, closed: page.closed || batch.isClosed };
  const tail = Math.max(page.tail, batch.last);
  const answer = new Headers(positionOf({ ...reached, tail }, batch));
  answer.set("cache-control", "no-store");
  answer.set(headers.cursor, cursorAfter(cursor, Date.now()));
  if (batch.isEmpty) {
    answer.set(headers.upToDate, "true");
    return c.newResponse(null, { status: 204, headers: answer });
  }
  answer.set("content-type", page.contentType);
  return c.newResponse(bodyOf(batch, page.contentType) as string, { status: 200, headers: answer });
}

async function pollFor(c: Context<CallerEnv>, source: LogSource, after: number) {
  const place = await takeReaderPlace(c);
  if (place === null) return "readers_per_org";
  try {
    return await awaitNews(source, after, longPollMs(c));
  } finally {
    place.leave();
  }
}

async function followBySse(
  c: Context<CallerEnv>,
  source: LogSource,
  { page, after, cursor }: Read,
): Promise<Response> {
  const [place, socket] = await Promise.all([takeReaderPlace(c), source.open(after)]);
  if (place === null || socket === null || socket === "readers_per_log") {
    place?.leave();
    if (socket instanceof WebSocket) letGo(socket);
    if (socket === null) return problem(c, "not_found");
    return tooManyReaders(c, place === null ? "readers_per_org" : "readers_per_log");
  }
  const open = async (from: number) => socketOf(await source.open(from));
  const project = framesOf(source, page.contentType, cursor);
  const reader = { open, project, left: place.leave, lifetimeMs: sseLifetimeMs(c) };
  const body = sseStream(reader, socket, after);
  return c.newResponse(body, 200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-store",
    "x-accel-buffering": "no",
    ...(isEncoded(page.contentType) && { [headers.sseEncoding]: "base64" }),
  });
}

function positionOf(page: LogPage, batch: Batch): Record<string, string> {
  const isAtTail = batch.last >= page.tail;
  return {
    [headers.nextOffset]: offsetAfter(batch.last),
    ...(isAtTail && { [headers.upToDate]: "true" }),
    ...(isAtTail && page.closed && { [headers.closed]: "true" }),
  };
}

const LongPollMs = z.coerce.number().int().positive().default(20_000);

function longPollMs(c: Context<CallerEnv>): number {
  return LongPollMs.parse(c.env.LONG_POLL_MS);
}

const SseLifetimeMs = z.coerce.number().int().positive().default(60_000);

/** A tenth more or less, so that readers who came together do not come back together. */
function sseLifetimeMs(c: Context<CallerEnv>): number {
  return SseLifetimeMs.parse(c.env.SSE_LIFETIME_MS) * (0.9 + Math.random() * 0.2);
}
