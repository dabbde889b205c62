import { RunSpec } from "@millrace/contracts";
import { expect, it } from "vitest";
import { isSuited } from "./is-suited.ts";
import type { Runner } from "./state.ts";

const session = { uid: "5e000000-0000-4000-8000-000000000001", namespace: "team", name: "s" };
const host: Runner = {
  runnerId: "r",
  slots: 4,
  free: 4,
  kind: "pool",
  podName: null,
  namespace: null,
  owners: null,
  taken: null,
};
const warm: Runner = { ...host, kind: "warm", podName: "p", namespace: "team", owners: ["key:1"] };
const everybody: Runner = { ...warm, owners: ["*"] };
const unvouched: Runner = { ...warm, namespace: null, owners: null };

const spec = (change: Partial<RunSpec>): RunSpec =>
  RunSpec.parse({
    orgId: "00000000-0000-7000-8000-000000000001",
    projectId: "p",
    runId: "01890000-0000-7000-8000-000000000001",
    runIndex: 1,
    parentRunId: null,
    kind: "run",
    prompt: "x",
    input: null,
    provider: null,
    model: null,
    workspaceBackend: "cluster",
    pool: "default",
    maxAttempts: 3,
    idempotencyKey: "k",
    createdAt: 0,
    ...change,
  });
const ofCluster = spec({ session });
const ofEdge = spec({ owner: "key:1" });

const rows: readonly (readonly [string, RunSpec | undefined, Runner, boolean])[] = [
  ["a host's run to a host's runner", undefined, host, true],
  ["a host's run to a warm pod", undefined, warm, false],
  ["a session to a host's runner", ofCluster, host, false],
  ["a session to a warm pod of its namespace", ofCluster, warm, true],
  ["a session to one of another", ofCluster, { ...warm, namespace: "else" }, false],
  ["a session to one that nobody vouches for", ofCluster, unvouched, false],
  ["a special session to a warm pod", spec({ session, needsOwnPod: true }), warm, false],
  [
    "a session with repositories",
    spec({ session, repos: [{ url: "https://example.com/a.git", branch: null, autoPush: false }] }),
    warm,
    false,
  ],
  ["the edge's run to a pod of its owner's namespace", ofEdge, warm, true],
  ["the edge's run to a pod of everybody's", spec({ owner: "key:2" }), everybody, true],
  ["the edge's run to a pod of others", spec({ owner: "key:2" }), warm, false],
  ["the edge's run to a runner without a pod", ofEdge, { ...warm, podName: null }, false],
];

it.each(rows)("%s", (_, one, runner, suited) => {
  const run = one ? { attempt: 1, spec: one } : { attempt: 1 };
  expect(isSuited(run, runner)).toBe(suited);
});

it("no later attempt to a warm pod", () => {
  expect(isSuited({ attempt: 2, spec: ofCluster }, warm)).toBe(false);
});
