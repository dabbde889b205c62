import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/**
 * A client that still writes when its connection is closed under it may never read the answer, so what it sends
 * is taken and thrown away. Beyond this factor over the limit it is on its own.
 */
const drainFactor = 16;

/** Refuses a body over `maxBytes`, whether or not it says its length. */
export const bodyLimit = (maxBytes: number): MiddlewareHandler<EdgeEnv> =>
  async function limitBody(c, next) {
    const declared = c.req.header("content-length");
    // Looking at the body makes a stream of it: only when its length is not known.
    if (declared !== undefined && Number(declared) <= maxBytes) return next();
    const stream = c.req.raw.body;
    if (declared === undefined && stream === null) return next();
    const body = stream && (await readUpTo(stream, maxBytes));
    if (body === null) {
      return problem(c, "payload_too_large", {
        message: `the body may have ${maxBytes} bytes at most`,
      });
    }
    c.req.raw = new Request(c.req.raw, { method: c.req.method, body });
    return next();
  };

/** A chunked body has no declared length: count while it arrives. Null: it is longer than allowed, and was drained. */
async function readUpTo(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Blob | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size <= maxBytes) chunks.push(chunk);
    if (size > maxBytes * drainFactor) break;
  }
  return size > maxBytes ? null : new Blob(chunks);
}
