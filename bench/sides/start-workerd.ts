import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from "miniflare";

/**
 * Starts a Worker in workerd with durable state in `stateDir` and answers a URL that leads straight to it:
 * Miniflare's own entry Worker would add its cost to every request of both sides.
 */
export async function startWorkerd(
  worker: V4WorkerOptions,
  stateDir: string,
): Promise<{ readonly url: URL; readonly miniflare: Miniflare }> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [{ ...worker, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] }],
      resourcePersistencePath: stateDir,
    }),
  );
  await miniflare.ready;
  return { url: await miniflare.unsafeGetDirectURL(), miniflare };
}
