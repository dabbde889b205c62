import { Hono } from "hono";
import type { AttemptEnv } from "../../edge-env.ts";
import { requireCurrentAttempt } from "../../middleware/require-current-attempt.ts";
import { requireRunToken } from "../../middleware/require-run-token.ts";
import { problem } from "../../problem.ts";
import { isR2Error } from "../../r2-error.ts";
import { blobKey } from "../../runner-keys.ts";

/** Bodies of checkpoint steps that are too large for a row, named by their content. */
export const blobs = new Hono<AttemptEnv>();

const blobMaxBytes = 64 * 1024 * 1024;
const path = "/runs/:runId/blobs/:sha256{[0-9a-f]{64}}";

blobs.use(path, requireRunToken, requireCurrentAttempt);

blobs.put(path, async (c) => {
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (!Number.isInteger(length)) {
    return problem(c, "invalid_argument", { message: "a blob needs a Content-Length" });
  }
  if (length > blobMaxBytes) return problem(c, "payload_too_large");
  const sha256 = c.req.param("sha256");
  const key = blobKey(c.var.attempt, sha256);
  try {
    await c.env.ARCHIVES.put(key, c.req.raw.body ?? new Uint8Array(), { sha256 });
    return c.json({ key });
  } catch (error) {
    if (!isR2Error(error, "badDigest")) throw error;
    return problem(c, "invalid_argument", { message: "the bytes are not what their name says" });
  }
});

blobs.get(path, async (c) => {
  const found = await c.env.ARCHIVES.get(blobKey(c.var.attempt, c.req.param("sha256")));
  if (found === null) return problem(c, "not_found");
  return c.body(found.body, 200, {
    "content-type": "application/octet-stream",
    "content-length": String(found.size),
  });
});
