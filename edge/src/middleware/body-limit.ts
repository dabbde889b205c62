import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** Refuses a body over `maxBytes`, whether or not it says its length. */
export const bodyLimit = (maxBytes: number): MiddlewareHandler<EdgeEnv> =>
  async function limitBody(c, next) {
    const refuse = () =>
      problem(c, "payload_too_large", { message: `the body may have ${maxBytes} bytes at most` });
    const declared = c.req.header("content-length");
    if (declared !== undefined) {
      if (Number(declared) > maxBytes) return refuse();
      return next();
    }
    if (c.req.raw.body === null) return next();
    const body = await readUpTo(c.req.raw.body, maxBytes);
    if (body === null) return refuse();
    c.req.raw = new Request(c.req.raw, { method: c.req.method, body });
    return next();
  };

/** A chunked body has no declared length: count while it arrives. Null: it is longer than allowed. */
async function readUpTo(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Blob | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return new Blob(chunks);
}
