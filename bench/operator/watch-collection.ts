import { type KubeConfig, Watch } from "@kubernetes/client-node";

export interface Watched {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * Calls `told` with each new state of an object, from now on. A watch that ends begins again with everything there is,
 * since client-node takes half a minute of silence for death: `told` may hear things twice.
 */
export async function watchCollection(
  config: KubeConfig,
  path: string,
  told: (object: Watched, type: string) => void,
): Promise<() => void> {
  let end: (() => void) | undefined;
  let isOver = false;
  const hear = (type: string, object: Watched): void => told(object, type);
  const begin = async (): Promise<void> => {
    const watch = await new Watch(config).watch(path, {}, hear, () => {
      if (!isOver) void begin();
    });
    end = () => watch.abort();
  };
  await begin();
  return () => {
    isOver = true;
    end?.();
  };
}
