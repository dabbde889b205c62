import { z } from "zod";
import type { Runner } from "./state.ts";

/** What a socket's attachment holds. `runner` is null until it has said hello. */
const Attachment = z.object({
  orgId: z.string(),
  pool: z.string(),
  runner: z
    .object({
      runnerId: z.string(),
      slots: z.number(),
      free: z.number(),
      kind: z.enum(["pool", "warm"]).default("pool"),
      podName: z.string().nullable().default(null),
    })
    .nullable(),
});
type Attachment = z.infer<typeof Attachment>;

/** The connected runners: read from the sockets' attachments after a wake-up, from then on kept in memory too. */
export class Runners {
  readonly #attachments = new Map<WebSocket, Attachment>();

  constructor(sockets: readonly WebSocket[]) {
    for (const socket of sockets) {
      const read = Attachment.safeParse(socket.deserializeAttachment());
      if (read.success) this.#attachments.set(socket, read.data);
    }
  }

  has(socket: WebSocket): boolean {
    return this.#attachments.has(socket);
  }

  runnerBy(runnerId: string): Runner | null {
    return this.all().find((runner) => runner.runnerId === runnerId) ?? null;
  }

  /** A socket that has not said hello. */
  connect(socket: WebSocket, orgId: string, pool: string): void {
    this.#set(socket, { orgId, pool, runner: null });
  }

  /** Says which pool the runner has joined; null for a socket that is closed already. */
  join(
    socket: WebSocket,
    runner: Runner,
  ): { readonly orgId: string; readonly pool: string } | null {
    const attachment = this.#attachments.get(socket);
    if (!attachment) return null;
    this.#set(socket, { ...attachment, runner });
    return { orgId: attachment.orgId, pool: attachment.pool };
  }

  runner(socket: WebSocket): Runner | null {
    return this.#attachments.get(socket)?.runner ?? null;
  }

  save(socket: WebSocket, runner: Runner): void {
    this.join(socket, runner);
  }

  /** Answers the runner that is gone with the socket. */
  disconnect(socket: WebSocket): Runner | null {
    const runner = this.runner(socket);
    this.#attachments.delete(socket);
    return runner;
  }

  socketOf(runnerId: string): WebSocket | null {
    for (const [socket, { runner }] of this.#attachments) {
      if (runner?.runnerId === runnerId) return socket;
    }
    return null;
  }

  all(): readonly Runner[] {
    return [...this.#attachments.values()].flatMap(({ runner }) => (runner ? [runner] : []));
  }

  #set(socket: WebSocket, attachment: Attachment): void {
    this.#attachments.set(socket, attachment);
    socket.serializeAttachment(attachment);
  }
}
