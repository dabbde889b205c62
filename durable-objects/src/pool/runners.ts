import { z } from "zod";
import type { PoolHello } from "@millrace/contracts";
import type { PoolView } from "./pool-rpc.ts";
import type { Runner } from "./state.ts";

/** The pod that a socket's token was made for. */
const WarmPlace = z.object({
  podName: z.string(),
  namespace: z.string(),
  owners: z.array(z.string()),
});
type WarmPlace = z.infer<typeof WarmPlace>;

/** What a socket's attachment holds. `runner` is null until it has said hello. */
const Seen = z.object({ version: z.string(), lastSeenAt: z.number() });
type Seen = z.infer<typeof Seen>;

const Attachment = z.object({
  orgId: z.string(),
  pool: z.string(),
  warm: WarmPlace.nullable().default(null),
  runner: z
    .object({
      runnerId: z.string(),
      slots: z.number(),
      free: z.number(),
      kind: z.enum(["pool", "warm"]).default("pool"),
      podName: z.string().nullable().default(null),
      namespace: z.string().nullable().default(null),
      owners: z.array(z.string()).readonly().nullable().default(null),
      taken: z.object({ runId: z.string(), attempt: z.number() }).nullable().default(null),
    })
    .nullable(),
  /** With the hello, and from then on. */
  seen: Seen.nullable().default(null),
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

  /** The org of a socket, and the pod that its token was made for. */
  placeOf(socket: WebSocket): { readonly orgId: string; readonly warm: WarmPlace | null } {
    return this.#attachments.get(socket) ?? { orgId: "", warm: null };
  }

  /** A socket that has not said hello. */
  connect(socket: WebSocket, at: Omit<Attachment, "runner" | "seen">): void {
    this.#set(socket, { ...at, runner: null, seen: null });
  }

  /** Says which pool the runner has joined; null for a socket that is closed already. */
  join(
    socket: WebSocket,
    runner: Runner,
    seen: Seen,
  ): { readonly orgId: string; readonly pool: string } | null {
    const attachment = this.#attachments.get(socket);
    if (!attachment) return null;
    this.#set(socket, { ...attachment, runner, seen });
    return { orgId: attachment.orgId, pool: attachment.pool };
  }

  runner(socket: WebSocket): Runner | null {
    return this.#attachments.get(socket)?.runner ?? null;
  }

  save(socket: WebSocket, runner: Runner): void {
    const attachment = this.#attachments.get(socket);
    if (attachment) this.#set(socket, { ...attachment, runner });
  }

  heard(socket: WebSocket, now: number): void {
    const attachment = this.#attachments.get(socket);
    if (!attachment?.seen) return;
    this.#set(socket, { ...attachment, seen: { ...attachment.seen, lastSeenAt: now } });
  }

  view(): PoolView["runners"] {
    const runners = this.all();
    const seen = [...this.#attachments.values()].flatMap((one) => one.seen ?? []);
    const total = (of: "slots" | "free") => runners.reduce((sum, runner) => sum + runner[of], 0);
    return {
      connected: runners.length,
      slots: total("slots"),
      free: total("free"),
      warm: runners.filter(({ kind }) => kind === "warm").length,
      versions: [...new Set(seen.map(({ version }) => version))].toSorted(),
      lastSeenAt: seen.length > 0 ? Math.max(...seen.map((one) => one.lastSeenAt)) : null,
    };
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

/** From a socket's address; null: it came with the pool's own token. */
export function readPlace(text: string | null): WarmPlace | null {
  return text === null ? null : WarmPlace.parse(JSON.parse(text));
}

/** Who comes with a pod's token is that pod's runner, whatever the hello says. */
export function newRunner(hello: z.infer<typeof PoolHello>, warm: WarmPlace | null): Runner {
  const { runnerId, slots, free, kind = "pool", podName = null } = hello;
  const said = { runnerId, slots, free, kind, podName, namespace: null, owners: null, taken: null };
  if (!warm) return said;
  return { ...said, ...warm, kind: "warm", slots: 1, free: Math.min(free, 1) };
}
