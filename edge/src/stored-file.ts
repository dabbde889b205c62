import type { Context } from "hono";
import { byteRange } from "./byte-range.ts";
import type { CallerEnv } from "./edge-env.ts";
import { problem } from "./problem.ts";

interface FileHeaders {
  readonly "cache-control": string;
  readonly "content-type": string;
  readonly "content-disposition"?: string;
}

/** Answers with an object of R2: whole, the range that was asked for, or that the client's copy is still good. */
export async function answerStored(c: Context<CallerEnv>, key: string, headers: FileHeaders) {
  const stored = await c.env.ARCHIVES.head(key);
  if (stored === null) return problem(c, "not_found", { message: "this file is gone" });
  const { "cache-control": caching, ...about } = headers;
  const validators = {
    etag: stored.httpEtag,
    "accept-ranges": "bytes",
    "cache-control": caching,
  };
  if (c.req.header("if-none-match") === stored.httpEtag) {
    return c.newResponse(null, 304, validators);
  }
  const asked = c.req.header("if-range") ?? stored.httpEtag;
  const range =
    asked === stored.httpEtag ? byteRange(c.req.header("range"), stored.size) : undefined;
  const file = {
    ...validators,
    ...about,
    "content-length": String(range?.length ?? stored.size),
  };
  const body = await openBody(c, key, range);
  if (range === undefined) return c.newResponse(body, 200, file);
  const last = range.offset + range.length - 1;
  return c.newResponse(body, 206, {
    ...file,
    "content-range": `bytes ${range.offset}-${last}/${stored.size}`,
  });
}

async function openBody(
  c: Context<CallerEnv>,
  key: string,
  range: R2Range | undefined,
): Promise<ReadableStream | null> {
  if (c.req.method === "HEAD") return null;
  const found = await c.env.ARCHIVES.get(key, range === undefined ? {} : { range });
  return found?.body ?? null;
}
