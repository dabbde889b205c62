import { forEachLine, jsonOf } from "@millrace/contracts";
import type { Frames } from "./frames.ts";

/** Lines of a log as server-sent frames: `id` is the line's, `log` its text, `gap` where lines are missing. */
export function projectLogRows(rows: string, after: number): Frames {
  let text = "";
  let last = after;
  forEachLine(rows, after, {
    line: (line) => {
      const isGap = line.type === "gap";
      // A carriage return would end the field; a terminal's progress bar is made of them.
      const data = isGap ? "" : (JSON.parse(jsonOf(line)) as string).replaceAll("\r", "\u240d");
      text += `id: ${line.seq}\nevent: ${isGap ? "gap" : "log"}\ndata: ${data}\n\n`;
      last = line.seq;
    },
  });
  return { text, last };
}

export const logEndFrame = "event: end\ndata:\n\n";
