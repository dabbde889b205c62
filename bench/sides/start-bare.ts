import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { FrameProducer } from "../clients/frame-producer.ts";
import { Inbox, WebSocketClient } from "../clients/web-socket-client.ts";
import type { BenchLog, Side } from "./side.ts";
import { startWorkerd } from "./start-workerd.ts";

const source = new URL("../bare/worker.ts", import.meta.url);

/** The raw limit: `bare/worker.ts` in a workerd of its own. */
export async function startBare(stateDir: string): Promise<Side> {
  const script = stripTypeScriptTypes(await readFile(source, "utf8"), { mode: "strip" });
  const { url, miniflare } = await startWorkerd(
    {
      name: "bare",
      modules: [{ type: "ESModule", path: "worker.js", contents: script }],
      compatibilityDate: "2026-11-01",
      durableObjects: { LOGS: { className: "BareObject", useSQLite: true } },
    },
    stateDir,
  );
  let made = 0;
  const nextUrl = (): URL => new URL(`/logs/log-${(made += 1)}`, url);
  return {
    name: "bare",
    openLog: () => openLog(nextUrl()),
    openCreator: async () => ({
      next: async () => ({
        stream: {
          url: nextUrl(),
          headers: { "content-type": "application/json" },
          method: "POST",
          body: JSON.stringify({ prompt: "Say hello." }),
        },
        isFirst: () => true,
        isLast: () => true,
      }),
      close: async () => undefined,
    }),
    dispose: () => miniflare.dispose(),
  };
}

async function openLog(log: URL): Promise<BenchLog> {
  const inbox = new Inbox();
  const socket = await WebSocketClient.connect(new URL(`${log.pathname}/socket`, log), {}, (text) =>
    inbox.put(text),
  );
  return {
    producer: new FrameProducer(socket, inbox),
    tail: 0,
    stream: (after) => ({
      url: new URL(`${log.pathname}/stream?after=${after}`, log),
      headers: {},
    }),
    close: async () => socket.close(),
  };
}
