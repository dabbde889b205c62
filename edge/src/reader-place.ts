import { orgSocketPaths, readQuotas } from "@millrace/durable-objects";
import type { Context } from "hono";
import type { CallerEnv } from "./edge-env.ts";
import { limited } from "./limited.ts";
import { logError } from "./log.ts";
import { orgObject } from "./objects.ts";
import type { ProblemResponse } from "./problem.ts";

export interface ReaderPlace {
  /** Again, it changes nothing. */
  readonly leave: () => void;
}

/** A place among the readers of the org, until `leave`; null: there is none. An org that cannot be asked stops nobody. */
export async function takeReaderPlace(c: Context<CallerEnv>): Promise<ReaderPlace | null> {
  try {
    const url = new URL(orgSocketPaths.reader, "https://org");
    const org = orgObject(c.env, c.var.caller.orgId);
    const { webSocket, status } = await org.fetch(url.href, { headers: { upgrade: "websocket" } });
    if (status === 429) return null;
    webSocket?.accept();
    return { leave: () => webSocket?.close(1000) };
  } catch (error) {
    logError("reader not counted", { error });
    return { leave: () => undefined };
  }
}

/** A reader's socket at a log's object, not accepted yet; null when there is no such log. */
export type OpenedReader = WebSocket | "readers_per_log" | null;

/** What the log's object answered to who wants to read it. */
export async function openedReader(response: Response): Promise<OpenedReader> {
  if (response.webSocket !== null) return response.webSocket;
  await response.body?.cancel();
  return response.status === 429 ? "readers_per_log" : null;
}

/** For who tries again by itself: there is a socket, or there is none now. */
export const socketOf = (reader: OpenedReader | object): WebSocket | null =>
  reader instanceof WebSocket ? reader : null;

/** A socket that was not accepted cannot be closed. */
export function letGo(socket: WebSocket): void {
  socket.accept();
  socket.close(1000);
}

/** A place is free when some client leaves: nobody knows when that is. */
const retryAfterSeconds = 5;

export function tooManyReaders(
  c: Context<CallerEnv>,
  limit: "readers_per_log" | "readers_per_org",
): ProblemResponse {
  const quotas = readQuotas(c.env);
  const max =
    limit === "readers_per_log" ? quotas.LIMIT_READERS_PER_LOG : quotas.LIMIT_READERS_PER_ORG;
  return limited(c, { limit, max, retryAfterSeconds });
}
