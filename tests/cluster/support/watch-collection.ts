import { setTimeout as sleep } from "node:timers/promises";
import { type KubeConfig, Watch } from "@kubernetes/client-node";

export interface Watched {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * Calls `told` with each new state of an object, from now on. A watch that ends begins again with everything there is,
 * since client-node takes half a minute of silence for death, and a server may be restarted: `told` may hear things twice.
 */
export async function watchCollection(
  config: KubeConfig,
  path: string,
  told: (object: Watched, type: string) => void,
): Promise<() => void> {
  const over = new AbortController();
  let end: (() => void) | undefined;
  const hear = (type: string, object: Watched): void => told(object, type);
  const begin = async (): Promise<void> => {
    const watch = await new Watch(config).watch(path, {}, hear, () => void again());
    end = () => watch.abort();
  };
  const again = async (): Promise<void> => {
    // It does not reject when nobody answers: that is an end like any other.
    await sleep(100);
    if (!over.signal.aborted) await begin();
  };
  await begin();
  return () => {
    over.abort();
    end?.();
  };
}
