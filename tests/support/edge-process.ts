/**
 * The edge as a process of its own: workerd under Miniflare, without wrangler's proxy in front of it.
 * Started by platform.ts with a file of settings as its only argument. Killing its process group is
 * killing the edge: node and workerd at once, nothing flushed, nothing said.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { z } from "zod";
import { buildPaths } from "./build-paths.ts";

const EdgeSettings = z.object({
  build: z.string(),
  port: z.int(),
  /** Where Miniflare keeps its state. */
  persistTo: z.string(),
  vars: z.record(z.string(), z.string()),
});
export type EdgeSettings = z.infer<typeof EdgeSettings>;

/** worker.js first: the first module is the entry point. */
function readModules(bundle: string) {
  const source = (name: string) => readFileSync(join(bundle, name), "utf8");
  const texts = readdirSync(bundle).filter((name) => name.endsWith(".sql"));
  return [
    { type: "ESModule" as const, path: "worker.js", contents: source("worker.js") },
    ...texts.map((path) => ({ type: "Text" as const, path, contents: source(path) })),
  ];
}

async function main(settingsFile: string): Promise<void> {
  const settings = EdgeSettings.parse(JSON.parse(readFileSync(settingsFile, "utf8")));
  const paths = buildPaths(settings.build);
  const { modulesRules: _, ...bindings } = JSON.parse(readFileSync(paths.workerOptions, "utf8"));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: settings.port,
      cf: false,
      log: new Log(LogLevel.WARN),
      telemetry: { enabled: false },
      // Nobody's clock starts the hourly work here: a test asks for it.
      unsafeTriggerHandlers: true,
      resourcePersistencePath: settings.persistTo,
      workers: [
        {
          ...bindings,
          name: "millrace",
          modules: readModules(paths.bundle),
          bindings: { ...bindings.bindings, ...settings.vars },
        },
      ],
    }),
  );
  await miniflare.ready;
}

await main(z.string().parse(process.argv[2]));
