import { createHash } from "node:crypto";
import { limits, type Step } from "@millrace/contracts";
import { z } from "zod";
import type { EdgeClient } from "../edge/edge-client.ts";
import { untilStored } from "./until-stored.ts";

/** What stands in a step whose body lies in blob storage. */
const BlobPointer = z.strictObject({
  $blob: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
});

/** The text that a step's row holds: the body itself, or a pointer once the body is in blob storage. */
export function storeStepBody(
  edge: EdgeClient,
  body: string,
  signal: AbortSignal,
): string | Promise<string> {
  const size = Buffer.byteLength(body);
  if (size <= limits.inlineBodyMaxBytes) return body;
  return putUntilStored(edge, Buffer.from(body, "utf8"), signal);
}

async function putUntilStored(
  edge: EdgeClient,
  bytes: Buffer<ArrayBuffer>,
  signal: AbortSignal,
): Promise<string> {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await untilStored(() => edge.putBlob(sha256, bytes, signal));
  const pointer: z.infer<typeof BlobPointer> = { $blob: sha256, size: bytes.length };
  return JSON.stringify(pointer);
}

/** The parsed bodies of a claim's steps, in order; those that lie in blob storage are fetched. */
export async function loadSteps(
  edge: EdgeClient,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const bodies: unknown[] = [];
  for (const step of steps) bodies.push(await loadBody(edge, JSON.parse(step.body), signal));
  return bodies;
}

async function loadBody(edge: EdgeClient, inline: unknown, signal: AbortSignal): Promise<unknown> {
  const pointer = BlobPointer.safeParse(inline);
  if (!pointer.success) return inline;
  const bytes = await edge.getBlob(pointer.data.$blob, signal);
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
