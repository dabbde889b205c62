import { percentile } from "../../stats.ts";
import { nameOf, NodeStage, type Frame, type Start } from "../node-stage.ts";
import type { Reading } from "./reading.ts";

const warmUps = 2;
const rounds = 12;

/** What a session waited for, one after the other, in ms. */
type Parts = ReadonlyMap<string, number>;

/**
 * Sessions on a real node, one after the other, from the request that creates one to the commit of its runner's first
 * event: in a pod of its own, and in one that waits.
 */
export async function measureStarts(progress: (line: string) => void): Promise<readonly Reading[]> {
  progress("starts: building images and a node");
  const stage = await NodeStage.start();
  try {
    const cold = await measure(stage, "cold", progress);
    const warm = await measure(stage, "warm", progress);
    return [...readingsOf("cold", cold, 3000), ...readingsOf("warm", warm, 500)];
  } finally {
    await stage.dispose();
  }
}

async function measure(
  stage: NodeStage,
  path: "cold" | "warm",
  progress: (line: string) => void,
): Promise<readonly Parts[]> {
  const found: Parts[] = [];
  for (let i = 0; i < warmUps + rounds; i += 1) {
    await stage.untilOneWaits();
    const spec = path === "cold" ? { env: { NEEDS: "a pod of its own" } } : {};
    const start = await stage.create(`${path}-${i}`, spec);
    const frames = await stage.framesUntil(start, "phase_started");
    const parts =
      path === "cold" ? coldParts(start, frames, await stage.log(start)) : warmParts(start, frames);
    progress(`starts: ${path} ${i}: ${[...parts].map(([what, ms]) => `${what} ${ms}`).join(", ")}`);
    if (i >= warmUps) found.push(parts);
    await stage.untilOver(start);
    if (path === "warm" && start.session?.status?.warmPod === undefined)
      throw new Error(`${start.name} was not given the pod that waited`);
  }
  return found;
}

const whole = "first event of its runner";

function coldParts(start: Start, frames: readonly Frame[], log: string): Parts {
  const { createdAt, jobAt = Number.NaN, boundAt = Number.NaN } = start;
  const runner = /{.*"runner starts".*}/.exec(log)?.[0] ?? "{}";
  const runnerAt = Date.parse((JSON.parse(runner) as { readonly ts?: string }).ts ?? "");
  return new Map([
    [whole, at(frames, "phase_started") - createdAt],
    ["run at the edge", at(frames, "queued") - createdAt],
    ["then Job", jobAt - at(frames, "queued")],
    ["then pod on its node", boundAt - jobAt],
    ["then runner's process", runnerAt - boundAt],
    ["then its first event", at(frames, "phase_started") - runnerAt],
  ]);
}

const warmParts = ({ createdAt }: Start, frames: readonly Frame[]): Parts =>
  new Map([
    [whole, at(frames, "phase_started") - createdAt],
    ["run at the edge", at(frames, "queued") - createdAt],
    ["then its first event", at(frames, "phase_started") - at(frames, "queued")],
  ]);

const at = (frames: readonly Frame[], name: string): number =>
  Date.parse(frames.find((frame) => nameOf(frame) === name)?.ts ?? "");

function readingsOf(path: string, found: readonly Parts[], atMost: number): readonly Reading[] {
  const of = (what: string): readonly number[] =>
    found.map((parts) => parts.get(what) ?? Number.NaN);
  const title = `created -> first event of its runner, ${path}`;
  const parts = [...(found[0]?.keys() ?? [])].filter((what) => what !== whole);
  return [
    { title: `${title}, p50`, value: percentile(of(whole), 0.5), unit: "ms", atMost },
    { title: `${title}, p99`, value: percentile(of(whole), 0.99), unit: "ms" },
    ...parts.map((what) => ({
      title: `  ${path}: ${what}, p50`,
      value: percentile(of(what), 0.5),
      unit: "ms" as const,
    })),
  ];
}
