import type { Pod } from "../agentic-session/facts.ts";
import { attemptOf } from "../agentic-session/observe.ts";
import { hasStarted } from "../agentic-session/pod-facts.ts";
import { annotations } from "../agentic-session/resources/annotations.ts";
import { type StoredSession, readSession } from "../agentic-session/session.ts";
import { sleep } from "../kube/clock.ts";
import { keyOf } from "../kube/kind.ts";
import { type KeepOrder, LogKeeper } from "../session-logs/log-keeper.ts";
import type { ClearOptions } from "./clear-pods.ts";
import { eachOf } from "./each-of.ts";

const lookAgainMs = 200;

/** Begins to keep the logs of these pods, to their end. Answers what waits until they are kept, or the time is up. */
export async function keepLogs(
  sessions: readonly StoredSession[],
  pods: readonly Pod[],
  options: ClearOptions,
): Promise<() => Promise<void>> {
  const { api, log, clock, until, signal } = options;
  const orders = ordersFor(sessions, pods);
  const open = { logs: orders.length };
  const keeper = new LogKeeper({
    ...options,
    // The chart's settings are not read here: a provider's key is found by its shape.
    settings: { providerSecret: undefined },
    giveUpMs: Math.max(0, until - clock.monotonic()),
    onSettled: () => (open.logs -= 1),
  });
  keeper.lead({ api, signal });
  await eachOf(orders, (order) => keeper.keep(order));
  return async () => {
    while (open.logs > 0 && clock.monotonic() < until && !signal.aborted) {
      await sleep(clock, lookAgainMs, signal);
    }
    if (open.logs > 0) log.warn("logs that are not kept", open);
  };
}

function ordersFor(sessions: readonly StoredSession[], pods: readonly Pod[]): readonly KeepOrder[] {
  const byKey = new Map(sessions.map((one) => [keyOf(one.metadata), readSession(one)]));
  return pods.flatMap((pod): readonly KeepOrder[] => {
    const { namespace, annotations: notes } = pod.metadata;
    const session = byKey.get(keyOf({ namespace, name: notes?.[annotations.session] ?? "" }));
    const runId = session?.status?.runId;
    if (!session || runId === undefined || session.spec.retention.logs === 0) return [];
    return hasStarted(pod) ? [{ session, runId, attempt: attemptOf(pod), pod }] : [];
  });
}
