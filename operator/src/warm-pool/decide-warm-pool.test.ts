import { expect, it } from "vitest";
import {
  type WarmPlan,
  type WarmPod,
  decideWarmPool,
  longestIdleMs,
  overMs,
} from "./decide-warm-pool.ts";

const now = 100 * longestIdleMs;

const pod = (name: string, changes: Partial<WarmPod> = {}): WarmPod => ({
  name,
  template: "t1",
  createdAt: now - 1000,
  state: { kind: "idle", isReady: true },
  hasToken: true,
  ...changes,
});
const over = (hasFailed: boolean, at: number) => ({ kind: "over", hasFailed, at }) as const;
const starting = { kind: "idle", isReady: false } as const;
const young = now - 1000 + longestIdleMs;
const nothing: WarmPlan = { creates: 0, deletes: [], tokens: [], wakeAt: undefined };

interface Row {
  readonly when: string;
  readonly pods: readonly WarmPod[];
  readonly size: number;
  readonly plan: Partial<WarmPlan>;
}

const rows: readonly Row[] = [
  { when: "nothing is there and nothing is wanted", pods: [], size: 0, plan: {} },
  { when: "the pool is empty", pods: [], size: 3, plan: { creates: 3 } },
  { when: "one is missing", pods: [pod("a")], size: 2, plan: { creates: 1, wakeAt: young } },
  { when: "all are there", pods: [pod("a"), pod("b")], size: 2, plan: { wakeAt: young } },
  {
    when: "one still starts",
    pods: [pod("a", { state: starting })],
    size: 1,
    plan: { wakeAt: young },
  },
  {
    when: "there are too many: who cannot be offered a run goes first, then the oldest",
    pods: [
      pod("starting", { state: starting, createdAt: now }),
      pod("old", { createdAt: now - 5000 }),
      pod("young"),
    ],
    size: 1,
    plan: { deletes: ["old", "starting"], wakeAt: young },
  },
  {
    when: "it is scaled to 0",
    pods: [pod("a"), pod("b", { state: starting })],
    size: 0,
    plan: { deletes: ["a", "b"] },
  },
  {
    when: "the template has changed",
    pods: [pod("a", { template: "t0" }), pod("b")],
    size: 2,
    plan: { creates: 1, deletes: ["a"], wakeAt: young },
  },
  {
    when: "a token will not last",
    pods: [pod("a", { createdAt: now - longestIdleMs })],
    size: 1,
    plan: { creates: 1, deletes: ["a"] },
  },
  {
    when: "one is on its way out",
    pods: [pod("a", { state: { kind: "going" } })],
    size: 1,
    plan: { creates: 1 },
  },
  {
    when: "one is spent and its session may come yet",
    pods: [pod("a", { state: over(false, now - 1) })],
    size: 1,
    plan: { creates: 1, wakeAt: now - 1 + overMs },
  },
  {
    when: "one is spent and nobody came",
    pods: [pod("a", { state: over(false, now - overMs) })],
    size: 1,
    plan: { creates: 1, deletes: ["a"] },
  },
  {
    when: "one has failed just now",
    pods: [pod("a", { state: over(true, now - 1) }), pod("b")],
    size: 2,
    plan: { wakeAt: now - 1 + overMs },
  },
  {
    when: "one failed a while ago",
    pods: [pod("a", { state: over(true, now - overMs) }), pod("b")],
    size: 2,
    plan: { creates: 1, deletes: ["a"], wakeAt: young },
  },
  {
    when: "a pod was made and its token was not",
    pods: [pod("a", { hasToken: false }), pod("b")],
    size: 2,
    plan: { tokens: ["a"], wakeAt: young },
  },
];

it.each(rows)("$when", ({ pods, size, plan }) => {
  expect(decideWarmPool({ pods, size, template: "t1", now })).toEqual({ ...nothing, ...plan });
});
