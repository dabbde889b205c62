import { limits } from "@millrace/contracts";
import { Hono, type Context } from "hono";
import type { AttemptEnv } from "../../edge-env.ts";
import { requireCurrentAttempt } from "../../middleware/require-current-attempt.ts";
import { requireRunToken } from "../../middleware/require-run-token.ts";
import { problem } from "../../problem.ts";
import { isR2Error } from "../../r2-error.ts";
import { blobKey, eventBlobKey } from "../../runner-keys.ts";

/** What is too large for a row, named by its content: bodies of checkpoint steps, and events. */
export const blobs = new Hono<AttemptEnv>();

const path = "/runs/:runId/blobs/:sha256{[0-9a-f]{64}}";
const eventPath = "/runs/:runId/events/:sha256{[0-9a-f]{64}}";

blobs.use(path, requireRunToken, requireCurrentAttempt);
blobs.use(eventPath, requireRunToken, requireCurrentAttempt);

blobs.put(path, (c) => {
  const sha256 = c.req.param("sha256");
  return store(c, blobKey(c.var.attempt, sha256), sha256);
});

blobs.put(eventPath, (c) => {
  const sha256 = c.req.param("sha256");
  return store(c, eventBlobKey(c.var.attempt, sha256), sha256);
});

blobs.get(path, async (c) => {
  const found = await c.env.ARCHIVES.get(blobKey(c.var.attempt, c.req.param("sha256")));
  if (found === null) return problem(c, "not_found");
  return c.body(found.body, 200, {
    "content-type": "application/octet-stream",
    "content-length": String(found.size),
  });
});

async function store(c: Context<AttemptEnv>, key: string, sha256: string) {
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (!Number.isInteger(length)) {
    return problem(c, "invalid_argument", { message: "a blob needs a Content-Length" });
  }
  if (length > limits.blobMaxBytes) return problem(c, "payload_too_large");
  try {
    await c.env.ARCHIVES.put(key, c.req.raw.body ?? new Uint8Array(), { sha256 });
    return c.json({ key });
  } catch (error) {
    if (!isR2Error(error, "badDigest")) throw error;
    return problem(c, "invalid_argument", { message: "the bytes are not what their name says" });
  }
}
