import { EdgeUnreachable } from "../edge/edge-client.ts";

/** The edge may be away for as long as the attempt lives; only a refusal, or the attempt's end, ends the trying. */
export async function untilStored(put: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await put();
    } catch (error) {
      if (!(error instanceof EdgeUnreachable)) throw error;
    }
  }
}
