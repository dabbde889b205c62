import type { LogSource } from "./log-source.ts";
import type { OpenedReader } from "../../reader-place.ts";
import type { Batch } from "./render.ts";

/** The first messages after `after`, or an empty batch when none come in time or the log is closed; null when it is gone; or that it has too many readers. */
export async function awaitNews(
  source: LogSource,
  after: number,
  patienceMs: number,
): Promise<Batch | Exclude<OpenedReader, WebSocket>> {
  const socket = await source.open(after);
  if (socket === null || socket === "readers_per_log") return socket;
  const { promise, resolve } = Promise.withResolvers<Batch>();
  const nothing = source.batchOf("", after);
  const timer = setTimeout(() => resolve(nothing), patienceMs);
  socket.addEventListener("message", ({ data }) => {
    const batch = source.batchOf(String(data), after);
    if (!batch.isEmpty || batch.isClosed) resolve(batch);
  });
  for (const end of ["close", "error"] as const) {
    socket.addEventListener(end, () => resolve(nothing));
  }
  socket.accept();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close(1000);
  }
}
