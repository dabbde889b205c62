import { z } from "zod";

/** What the object knows about one runner socket; kept in its attachment, so that it survives hibernation. */
export const RunnerLink = z.object({
  kind: z.literal("runner"),
  /** From the run token, which the edge has verified. */
  attempt: z.int(),
  /** Null until this socket's claim was accepted. */
  runnerId: z.string().nullable(),
  /** When the socket was last given a run token. */
  tokenAt: z.int(),
});
export type RunnerLink = z.infer<typeof RunnerLink>;

/** A socket tag, so that runners and readers are found apart. */
export const runnerTag = "runner";

/** Links of the sockets that are open, with the attachment parsed once. */
export class RunnerLinks {
  readonly #links = new Map<WebSocket, RunnerLink>();

  constructor(sockets: readonly WebSocket[]) {
    for (const socket of sockets) {
      this.#links.set(socket, RunnerLink.parse(socket.deserializeAttachment()));
    }
  }

  get(socket: WebSocket): RunnerLink | undefined {
    return this.#links.get(socket);
  }

  set(socket: WebSocket, link: RunnerLink): void {
    this.#links.set(socket, link);
    socket.serializeAttachment(link);
  }

  delete(socket: WebSocket): void {
    this.#links.delete(socket);
  }

  /** Sockets on which the attempt was claimed. */
  *claimed(attempt: number): Generator<WebSocket> {
    for (const [socket, link] of this.#links) {
      if (link.runnerId !== null && link.attempt === attempt) yield socket;
    }
  }

  hasClaimed(attempt: number): boolean {
    return this.claimed(attempt).next().done === false;
  }
}
