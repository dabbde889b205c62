import { createHash } from "node:crypto";
import type { RunnerEvent } from "@millrace/contracts";
import type { EdgeClient } from "../edge/edge-client.ts";
import type { AttemptEvent } from "./attempt.ts";
import { untilStored } from "./until-stored.ts";

/** The whole data of an event that has only a preview in the log. */
export interface EventBody {
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The event as the log gets it, and what has to be stored before it may go there. */
export interface SplitEvent {
  readonly event: RunnerEvent;
  readonly body?: EventBody;
}

export function splitEvent(event: AttemptEvent): SplitEvent {
  const { whole, ...preview } = event;
  if (whole === undefined) return { event: preview };
  const bytes = Buffer.from(whole, "utf8");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { event: { ...preview, blob: { sha256, size: bytes.length } }, body: { sha256, bytes } };
}

/** Content has its own name, so that a second try, or another attempt, stores the same again. */
export function storeEventBody(
  edge: EdgeClient,
  { sha256, bytes }: EventBody,
  signal: AbortSignal,
): Promise<void> {
  return untilStored(() => edge.putEvent(sha256, bytes, signal));
}
