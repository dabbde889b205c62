import { readEvents } from "../../clients/events.ts";
import { openStream } from "../../clients/sse-reader.ts";
import type { PreparedRun } from "../services/run-service.ts";

/** Creates a run and resolves when the server has said that it is over. */
export async function executeRun({ wait, stream, isLast }: PreparedRun): Promise<void> {
  if (wait === null) {
    let isOver = false;
    await readEvents(stream, (event) => (isOver = isLast(event)));
    if (!isOver) throw new Error("a stream ended before its run");
    return;
  }
  const { response } = await openStream(wait);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const answer = Buffer.concat(chunks).toString("utf8");
  if (answer.includes('"__error__"')) throw new Error(`a run failed: ${answer}`);
}
