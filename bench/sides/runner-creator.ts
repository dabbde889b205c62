import type { Creator } from "./side.ts";
import type { Platform } from "./platform.ts";

/** Creates that an idle, real runner process executes against a scripted model. */
export async function openRunnerCreator(_platform: Platform, _dir: string): Promise<Creator> {
  throw new Error("not yet");
}
