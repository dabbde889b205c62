import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checks, runChecks } from "./checks.ts";
import type { Facts, Pod } from "./facts.ts";
import { began, makeFacts, makeJob, makePod, makeRun, second } from "./testing/make-facts.ts";

type Status = NonNullable<Pod["status"]>;

const disrupted = (reason: string): Status => ({
  phase: "Failed",
  conditions: [{ type: "DisruptionTarget", status: "True", reason, message: "bye" }],
});
const waits = (reason: string): Status => ({
  phase: "Pending",
  containerStatuses: [container({ waiting: { reason, message: `${reason} here` } })],
});
const ends = (exitCode: number, reason = "Error"): Status => ({
  phase: exitCode === 0 ? "Succeeded" : "Failed",
  containerStatuses: [
    container({ terminated: { exitCode, reason, finishedAt: "2026-01-01T00:00:00Z" } }),
  ],
});
const container = (state: object, name = "runner") => ({
  name,
  state,
  image: "x",
  imageID: "x",
  ready: false,
  restartCount: 0,
});
const runs: Status = { phase: "Running", containerStatuses: [container({ running: {} })] };
const pod = (status: Status): Partial<Facts> => ({ pod: makePod(status) });
const late = { now: began + 601 * second };
const unplaced = (message: string): Status => ({
  phase: "Pending",
  conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
});

/** What each check sees, and what a person reads of it. Every row of the table is here. */
const cases: Readonly<Record<string, readonly [facts: Partial<Facts>, words: string]>> = {
  NamespaceTerminating: [{ isNamespaceTerminating: true }, "team"],
  SecretMissing: [{ secretProblem: "Secret git is not there", pod: undefined }, "git"],
  Evicted: [pod({ phase: "Failed", reason: "Evicted", message: "low on memory" }), "low on memory"],
  Preempted: [pod(disrupted("PreemptionByScheduler")), "bye"],
  NodeShutdown: [pod(disrupted("TerminationByKubelet")), "shut down"],
  NodeLost: [pod(disrupted("DeletionByTaintManager")), "lost"],
  OutOfMemory: [pod(ends(137, "OOMKilled")), "memory"],
  DeadlineExceeded: [{ run: makeRun({ startedAt: began - 7200 * second }) }, "7200 s"],
  InvalidImageName: [pod(waits("InvalidImageName")), "InvalidImageName here"],
  ImagePullFailed: [pod(waits("ImagePullBackOff")), "ImagePullBackOff here"],
  ContainerConfigError: [pod(waits("CreateContainerConfigError")), "here"],
  InitContainerFailed: [
    pod({
      phase: "Failed",
      initContainerStatuses: [container({ terminated: { exitCode: 4 } }, "prepare")],
    }),
    "prepare ended with exit code 4",
  ],
  BadSettings: [{ ...pod(ends(2)), logTail: "EDGE_URL" }, "EDGE_URL"],
  RepositoryFailed: [pod(ends(3)), "exit code 3"],
  McpServerFailed: [pod(ends(6)), "exit code 6"],
  TokenRefused: [pod(ends(4)), "exit code 4"],
  EdgeUnreachable: [pod(ends(5)), "exit code 5"],
  RunnerExited: [pod(ends(0)), "exit code 0"],
  PodFailed: [pod({ phase: "Failed", reason: "OutOfcpu" }), "OutOfcpu"],
  QuotaExceeded: [
    {
      ...late,
      pod: undefined,
      warnings: [{ about: "job", reason: "FailedCreate", note: "exceeded quota: small" }],
    },
    "small",
  ],
  AdmissionDenied: [
    {
      pod: undefined,
      warnings: [{ about: "job", reason: "FailedCreate", note: "violates PodSecurity" }],
    },
    "PodSecurity",
  ],
  JobDeleted: [{ job: undefined, pod: undefined }, "Job was deleted"],
  PodDeleted: [{ pod: undefined }, "fix-1-abcde was deleted"],
  SecretDeleted: [{ secret: undefined }, "Secret"],
  VolumeNotBound: [
    {
      ...late,
      ...pod(unplaced("pod has unbound immediate PersistentVolumeClaims")),
      claim: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: makeJob().metadata,
        status: { phase: "Pending" },
      },
    },
    "unbound",
  ],
  Unschedulable: [{ ...late, ...pod(unplaced("0/3 nodes: Insufficient cpu")) }, "Insufficient cpu"],
  VolumeNotMounted: [
    { ...late, warnings: [{ about: "pod", reason: "FailedMount", note: "no such volume" }] },
    "no such volume",
  ],
  NotConnected: [{ ...late, ...pod(runs) }, "600 s"],
  Silent: [{ ...pod(runs), stopBy: "fence" }, "nothing"],
};

describe("every way to fail", () => {
  it.each(checks.map(({ reason }) => reason))("%s is recognised, first of all", (reason) => {
    const [changes, words] = cases[reason] ?? [{}, "no case for this check"];
    const facts = makeFacts(changes);
    const found = runChecks(facts).filter(({ failsAt }) => failsAt <= facts.now);
    expect(found[0]?.check.reason).toBe(reason);
    expect(found[0]?.message).toContain(words);
  });

  it("is no failure before its time, and says when that is", () => {
    const facts = makeFacts(pod(unplaced("Insufficient cpu")));
    const [first] = runChecks(facts);
    expect(first).toMatchObject({ check: { reason: "Unschedulable" } });
    expect(first?.failsAt).toBe(began + 600 * second);
  });

  it("leaves a pod that starts, runs or waits for its last word alone", () => {
    for (const status of [{ phase: "Pending" }, runs, disrupted("EvictionByEvictionAPI")]) {
      const facts = makeFacts(
        pod(status.phase === "Failed" ? { ...status, phase: "Running" } : status),
      );
      expect(runChecks(facts).filter(({ failsAt }) => failsAt <= facts.now)).toEqual([]);
    }
    const justEnded = makeFacts({ ...pod(ends(0)), now: began + second });
    expect(runChecks(justEnded).filter(({ failsAt }) => failsAt <= justEnded.now)).toEqual([]);
  });

  it("stands in the guide as the code has it", async () => {
    const guide = new URL("../../../docs/guides/cluster.md", import.meta.url).pathname;
    const marks = /(<!-- failures -->\n)[^]*(<!-- \/failures -->)/;
    const rows = checks.map(({ reason, cause, retryable, remedy }) => {
      return `| \`${reason}\` | ${cause} | ${retryable ? "yes" : "no"} | ${remedy} |`;
    });
    const head =
      "| reason | what has happened | tried again | what to do |\n| --- | --- | --- | --- |";
    const table = `\n<!-- prettier-ignore -->\n${head}\n${rows.join("\n")}\n\n`;
    const text = readFileSync(guide, "utf8").replace(marks, `$1${table}$2`);
    expect(text).toMatch(marks);
    await expect(text).toMatchFileSnapshot(guide);
  });
});

it("what a run has waited for its user does not count for its time", () => {
  const startedAt = began - 7200 * second;
  const reasonsAfter = (waitedMs: number) =>
    runChecks(makeFacts({ run: makeRun({ startedAt, waitedMs }) }))
      .filter(({ failsAt }) => failsAt <= began)
      .map(({ check }) => check.reason);
  expect(reasonsAfter(0)).toEqual(["DeadlineExceeded"]);
  expect(reasonsAfter(second)).toEqual([]);
});
