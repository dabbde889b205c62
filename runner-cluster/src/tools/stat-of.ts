import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { shownPath } from "./tool-path.ts";
import { ToolRefusal } from "./tool.ts";

/** What is at a resolved path; refuses, with a message for the model, when nothing is. */
export async function statOf(absolute: string, path: string): Promise<Stats> {
  try {
    return await stat(absolute);
  } catch (error) {
    throw new ToolRefusal("not_found", `${shownPath(path)} does not exist.`, { cause: error });
  }
}
