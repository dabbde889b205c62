import { limits, UploadBegin, UploadComplete, type UploadKind } from "@millrace/contracts";
import { Hono, type Context } from "hono";
import { z } from "zod";
import type { AttemptEnv } from "../../edge-env.ts";
import { bodyLimit } from "../../middleware/body-limit.ts";
import { requireRunToken } from "../../middleware/require-run-token.ts";
import { runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { isR2Error } from "../../r2-error.ts";
import { readBody } from "../../read-body.ts";
import { isOwnArchive } from "../../runner-keys.ts";

/**
 * Archives on their way to R2, in equal parts, as R2 wants them. A part streams through without being
 * held here; the run object is told of the upload before its first part, so that it can abort it.
 */
export const uploads = new Hono<AttemptEnv>();

const PartNumber = z.coerce.number().int().min(1).max(10_000);
const contentType = { zip: "application/zip", bundle: "application/x-git-bundle" } as const;

// A complete lists up to 10,000 parts.
const jsonLimit = bodyLimit(2_000_000);

uploads.use("/runs/:runId/uploads/*", requireRunToken);

uploads.post("/runs/:runId/uploads", jsonLimit, async (c) => {
  const begin = await readBody(c, UploadBegin);
  if (!begin.ok) return begin.response;
  const { attempt } = c.var.attempt;
  const run = runOf(c);
  const grant = await run.grantUpload(attempt, begin.data.kind);
  if (!grant.ok) return refuse(c, grant.code);
  const upload = await openUpload(c, grant.key, begin.data.kind);
  await run.uploadOpened(attempt, upload.key, upload.uploadId);
  return c.json({ uploadId: upload.uploadId, key: upload.key });
});

uploads.put("/runs/:runId/uploads/:uploadId/parts/:part", async (c) => {
  const key = c.req.query("key") ?? "";
  const part = PartNumber.safeParse(c.req.param("part"));
  if (!isOwnArchive(c.var.attempt, key)) return problem(c, "permission_denied");
  if (!part.success) return problem(c, "invalid_argument", { message: "part: not a part number" });
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  const body = c.req.raw.body;
  if (!Number.isInteger(length) || body === null) {
    return problem(c, "invalid_argument", { message: "a part needs a Content-Length and a body" });
  }
  if (length > limits.archivePartBytes) return problem(c, "payload_too_large");
  const upload = c.env.ARCHIVES.resumeMultipartUpload(key, c.req.param("uploadId"));
  try {
    const { etag } = await upload.uploadPart(part.data, body);
    return c.json({ etag });
  } catch (error) {
    if (!isR2Error(error, "noSuchUpload")) throw error;
    return problem(c, "not_found", { message: "no such upload" });
  }
});

uploads.post("/runs/:runId/uploads/:uploadId/complete", jsonLimit, async (c) => {
  const complete = await readBody(c, UploadComplete);
  if (!complete.ok) return complete.response;
  const stored = complete.data;
  if (!isOwnArchive(c.var.attempt, stored.key)) return problem(c, "permission_denied");
  const uploadId = c.req.param("uploadId");
  const sizeBytes = await completeUpload(c, uploadId, stored);
  if (sizeBytes === null) return problem(c, "not_found", { message: "no such upload" });
  if (sizeBytes !== stored.sizeBytes) {
    await c.env.ARCHIVES.delete(stored.key);
    const message = `sizeBytes: ${sizeBytes} bytes arrived, ${stored.sizeBytes} were announced`;
    return problem(c, "invalid_argument", { message });
  }
  const answer = await runOf(c).uploadStored(c.var.attempt.attempt, uploadId, stored);
  return answer.ok ? c.json({ key: stored.key }) : refuse(c, answer.code);
});

uploads.delete("/runs/:runId/uploads/:uploadId", async (c) => {
  const key = c.req.query("key") ?? "";
  const uploadId = c.req.param("uploadId");
  if (!isOwnArchive(c.var.attempt, key)) return problem(c, "permission_denied");
  try {
    await c.env.ARCHIVES.resumeMultipartUpload(key, uploadId).abort();
  } catch (error) {
    // Aborted before: that is what was asked for.
    if (!isR2Error(error, "noSuchUpload")) throw error;
  }
  await runOf(c).uploadAborted(uploadId);
  return c.body(null, 204);
});

/** Size of the finished object; null when R2 knows no such upload and holds nothing at the key. */
async function completeUpload(
  c: Context<AttemptEnv>,
  uploadId: string,
  { key, parts }: UploadComplete,
): Promise<number | null> {
  try {
    const upload = c.env.ARCHIVES.resumeMultipartUpload(key, uploadId);
    return (await upload.complete(parts)).size;
  } catch (error) {
    if (!isR2Error(error, "noSuchUpload", "invalidPart")) throw error;
    // A repeat after a lost answer: the upload is gone because the object is there.
    return (await c.env.ARCHIVES.head(key))?.size ?? null;
  }
}

function openUpload(c: Context<AttemptEnv>, key: string, kind: UploadKind) {
  return c.env.ARCHIVES.createMultipartUpload(key, {
    httpMetadata: { contentType: contentType[kind] },
  });
}

function runOf(c: Context<AttemptEnv>) {
  return runObject(c.env, c.var.attempt.orgId, c.var.attempt.runId);
}

/** The object's own word for it stands in the details: a runner acts on it. */
function refuse(c: Context, code: "not_found" | "fenced" | "run_over") {
  if (code === "not_found") return problem(c, "not_found");
  return problem(c, "permission_denied", {
    message: `refused: ${code}`,
    details: { refusal: code },
  });
}
