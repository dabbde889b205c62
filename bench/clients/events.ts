import { openStream, type StreamRequest } from "./sse-reader.ts";

const stuckMs = 120_000;

/**
 * Calls `onEvent` with every server-sent event of a response, whatever its fields, until it answers true, which also ends
 * the connection, or until the server ends the stream.
 */
export async function readEvents(
  stream: StreamRequest,
  onEvent: (event: string) => boolean | undefined,
  onOpen: () => void = () => undefined,
): Promise<void> {
  const { request, response } = await openStream(stream);
  onOpen();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error("a stream fell silent")), stuckMs);
  let rest = "";
  response.setEncoding("latin1");
  response.on("data", (chunk: string) => {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop() ?? "";
    try {
      if (events.some((event) => onEvent(event) === true)) resolve();
    } catch (error) {
      reject(error);
    }
  });
  response.on("end", resolve);
  response.on("error", reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    response.removeAllListeners("error").on("error", () => undefined);
    request.on("error", () => undefined).destroy();
  }
}
