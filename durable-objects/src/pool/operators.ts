import { PoolStatus, type OperatorToPool, type PoolToOperator } from "@millrace/contracts";
import { z } from "zod";
import { decideLeader } from "./decide-leader.ts";
import type { PoolView } from "./pool-rpc.ts";

type Hello = Extract<OperatorToPool, { readonly type: "hello" }>;

const Operator = z.object({
  operatorId: z.string(),
  version: z.string(),
  leaderAt: z.number().nullable(),
  connectedAt: z.number(),
  lastSeenAt: z.number(),
  status: PoolStatus.nullable(),
});
type Operator = z.infer<typeof Operator>;

/** What a socket's attachment holds. `operator` is null until it has said hello. */
const Attachment = z.object({
  kind: z.literal("operator"),
  orgId: z.string(),
  pool: z.string(),
  operator: Operator.nullable(),
});
type Attachment = z.infer<typeof Attachment>;

/** The connected operators, from the sockets' attachments after a wake-up. */
export class Operators {
  readonly #attachments = new Map<WebSocket, Attachment>();

  constructor(sockets: readonly WebSocket[]) {
    for (const socket of sockets) {
      const read = Attachment.safeParse(socket.deserializeAttachment());
      if (read.success) this.#attachments.set(socket, read.data);
    }
  }

  /** A socket that has not said hello. */
  connect(socket: WebSocket, at: Pick<Attachment, "orgId" | "pool">): void {
    this.#set(socket, { kind: "operator", ...at, operator: null });
  }

  has(socket: WebSocket): boolean {
    return this.#attachments.has(socket);
  }

  /** The pool that the socket has joined; null before its hello. */
  place(socket: WebSocket): { readonly orgId: string; readonly pool: string } | null {
    const attachment = this.#attachments.get(socket);
    return attachment?.operator ? { orgId: attachment.orgId, pool: attachment.pool } : null;
  }

  /** The newest socket of a process counts; answers the older ones. */
  join(socket: WebSocket, hello: Hello, now: number): readonly WebSocket[] {
    const attachment = this.#attachments.get(socket);
    if (!attachment) return [];
    const { operatorId, version, leader } = hello;
    const older = [...this.#attachments].flatMap(([other, { operator }]) =>
      other !== socket && operator?.operatorId === operatorId ? [other] : [],
    );
    for (const other of older) this.#attachments.delete(other);
    const leaderAt = leader ? now : null;
    const seen = { connectedAt: now, lastSeenAt: now, status: null };
    this.#set(socket, { ...attachment, operator: { operatorId, version, leaderAt, ...seen } });
    return older;
  }

  heard(socket: WebSocket, status: PoolStatus, now: number): void {
    const attachment = this.#attachments.get(socket);
    const operator = attachment?.operator;
    if (!attachment || !operator) return;
    const leaderAt = status.leader ? (operator.leaderAt ?? now) : null;
    const { version } = status;
    this.#set(socket, {
      ...attachment,
      operator: { ...operator, version, leaderAt, lastSeenAt: now, status },
    });
  }

  disconnect(socket: WebSocket): void {
    this.#attachments.delete(socket);
  }

  leader(): WebSocket | null {
    const candidates = [...this.#attachments].flatMap(([socket, { operator }]) =>
      operator ? [{ ...operator, socket }] : [],
    );
    return decideLeader(candidates)?.socket ?? null;
  }

  sockets(): readonly WebSocket[] {
    return [...this.#attachments].flatMap(([socket, { operator }]) => (operator ? [socket] : []));
  }

  view(): Pick<PoolView, "operators" | "status" | "lastSeenAt"> {
    const leader = this.leader();
    const operators = [...this.#attachments.values()].flatMap(({ operator }) =>
      operator ? [operator] : [],
    );
    const led = leader ? this.#attachments.get(leader)?.operator : null;
    return {
      operators: operators.map(({ operatorId, version, leaderAt, connectedAt, lastSeenAt }) => ({
        operatorId,
        version,
        leader: leaderAt !== null,
        connectedAt,
        lastSeenAt,
      })),
      status: led?.status ?? null,
      lastSeenAt: this.#latest(),
    };
  }

  #latest(): number | null {
    const seen = [...this.#attachments.values()].map(({ operator }) => operator?.lastSeenAt ?? 0);
    const latest = Math.max(0, ...seen);
    return latest > 0 ? latest : null;
  }

  #set(socket: WebSocket, attachment: Attachment): void {
    this.#attachments.set(socket, attachment);
    socket.serializeAttachment(attachment);
  }
}

/** Answers false when the socket is no longer open. */
export function tell(socket: WebSocket, message: PoolToOperator): boolean {
  try {
    socket.send(JSON.stringify(message));
    return true;
  } catch {
    return false;
  }
}
