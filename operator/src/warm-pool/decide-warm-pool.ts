/** An idle pod as the pool looks at it. Times are Unix ms. */
export interface WarmPod {
  readonly name: string;
  /** Digest of the template that it was made from. */
  readonly template: string;
  readonly createdAt: number;
  /** `going`: on its way out already. */
  readonly state:
    | { readonly kind: "idle"; readonly isReady: boolean }
    | { readonly kind: "over"; readonly hasFailed: boolean; readonly at: number }
    | { readonly kind: "going" };
  /** The Secret with its token is there. */
  readonly hasToken: boolean;
}

export interface WarmSituation {
  readonly pods: readonly WarmPod[];
  readonly size: number;
  /** Digest of the template that pods are made from now. */
  readonly template: string;
  readonly now: number;
}

export interface WarmPlan {
  /** How many pods to make. */
  readonly creates: number;
  readonly deletes: readonly string[];
  /** Pods whose token was not stored: somebody died in between. */
  readonly tokens: readonly string[];
  /** When time alone changes the answer. */
  readonly wakeAt: number | undefined;
}

/** Half the life of its token: a run that is claimed at the last moment can still join its pool again. */
export const longestIdleMs = 12 * 60 * 60_000;
/** A pod that is over stays so long: its session may be about to adopt it, and a failed one takes a place, so that a runner that cannot start is not made again and again. */
export const overMs = 30_000;

/**
 * Which idle pods to make and take away. Pods that have become a session's are not among them. One whose runner has just
 * accepted a run still looks idle: taken away it hands its run back, which is no failure.
 */
export function decideWarmPool({ pods, size, template, now }: WarmSituation): WarmPlan {
  const isFit = (pod: WarmPod): boolean =>
    pod.template === template && now < pod.createdAt + longestIdleMs;
  const idle = pods.filter(({ state }) => state.kind === "idle");
  const fit = idle.filter(isFit).toSorted(byWorth);
  const kept = fit.slice(0, size);
  const over = pods.flatMap(({ name, state }) =>
    state.kind === "over" ? [{ name, ...state, until: state.at + overMs }] : [],
  );
  const held = over.filter(({ until }) => now < until);
  const blocked = held.filter(({ hasFailed }) => hasFailed).length;
  const wakes = [
    ...kept.map(({ createdAt }) => createdAt + longestIdleMs),
    ...held.map(({ until }) => until),
  ];
  return {
    creates: Math.max(0, size - kept.length - blocked),
    deletes: [
      ...over.filter(({ until }) => until <= now),
      ...idle.filter((pod) => !isFit(pod)),
      ...fit.slice(size),
    ].map(({ name }) => name),
    tokens: kept.filter(({ hasToken }) => !hasToken).map(({ name }) => name),
    wakeAt: wakes.length > 0 ? Math.min(...wakes) : undefined,
  };
}

/** Who can be offered a run stays, and of those who can the one that may stay longest. */
function byWorth(a: WarmPod, b: WarmPod): number {
  const readiness = Number(isReady(b)) - Number(isReady(a));
  return readiness === 0 ? b.createdAt - a.createdAt : readiness;
}

export const isReady = ({ state }: WarmPod): boolean => state.kind === "idle" && state.isReady;
