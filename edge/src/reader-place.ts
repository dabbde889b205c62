import { orgSocketPaths } from "@millrace/durable-objects";
import type { Context } from "hono";
import type { CallerEnv } from "./edge-env.ts";
import { logError } from "./log.ts";
import { orgObject } from "./objects.ts";

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
