import { beforeAll, describe, expect, it } from "vitest";
import {
  command,
  downloadFiles,
  mark,
  placesOf,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import type { ScenarioInput } from "../support/model-server/scenario.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  interruptedIn,
  requestsOf,
} from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

/** A model that says nothing more, the first time that it is asked: the place where the runner dies. */
const silentAfter = (afterChunks: number) => ({
  fault: { kind: "silence" as const, afterChunks, times: 1 },
});

const plan = { summary: "Carry on.", todos: [{ id: "1", title: "Carry on" }] };
const planText = `I think about it.\n\n\`\`\`json\n${JSON.stringify(plan)}\n\`\`\`\n`;

interface Place {
  readonly scenario: ScenarioInput;
  /** Resolves when the run has come there. */
  readonly reached: (run: BegunRun) => Promise<unknown>;
  /** What was executed, in order. */
  readonly executed: string;
  /** What is left of it in the workspace. */
  readonly trace: string;
  readonly interrupted: readonly string[];
}

const places: Readonly<Record<string, Place>> = {
  "in plan": {
    scenario: {
      plan: [{ toolCalls: [{ name: "ls" }] }, { text: planText, ...silentAfter(4) }],
      build: [mark("a"), { text: "Done in plan." }],
    },
    reached: ({ stream }) => stream.untilNamed("token"),
    executed: "a\n",
    trace: "a\n",
    interrupted: [],
  },
  "between two tools": {
    scenario: {
      build: [mark("a"), { ...mark("b"), ...silentAfter(0) }, mark("c"), { text: "Done." }],
    },
    reached: ({ title }) =>
      waitUntil("the model is asked for the second build turn", () =>
        requestsOf(bench.model.log(), title).some((one) => one.phase === "build" && one.index > 0),
      ),
    executed: "a\nb\nc\n",
    trace: "a\nb\nc\n",
    interrupted: [],
  },
  "in the middle of a model stream": {
    scenario: {
      build: [
        mark("a"),
        { text: "one two three four five", ...mark("b"), ...silentAfter(4) },
        mark("c"),
        { text: "Done." },
      ],
    },
    reached: ({ stream }) =>
      stream.until(({ event, data }) => event === "token" && String(data["token"]).includes("two")),
    executed: "a\nb\nc\n",
    trace: "a\nb\nc\n",
    interrupted: [],
  },
  "in the middle of a command": {
    scenario: {
      build: [
        mark("a"),
        command('echo half >> trace.txt; echo half >> "$HOME/trace"; echo here; sleep 600; echo x'),
        mark("c"),
        { text: "Done." },
      ],
    },
    reached: ({ stream }) => stream.until(({ data }) => data["chunk"] === "here\n"),
    executed: "a\nhalf\nc\n",
    // The workspace goes back to the last completed call: of the interrupted one only the model is told.
    trace: "a\nc\n",
    interrupted: ["call_build_1_0"],
  },
};

const successors = ["another runner on the same disk", "its own next start"] as const;

describe.each(successors)("kill -9 of the runner, and %s", (successor) => {
  it(`completes every run: ${Object.keys(places).join(", ")}`, async () => {
    const victim = await bench.startRunner();
    const runs = await Promise.all(
      Object.entries(places).map(async ([name, place]) => {
        const run = await bench.begin(`killed ${name}, then ${successor}`, place.scenario);
        await place.reached(run);
        return { run, place };
      }),
    );
    if (successor === "another runner on the same disk") {
      const other = await bench.startRunner({ workspaceRoot: victim.workspaceRoot });
      await other.joined();
      await victim.kill();
    } else {
      await victim.kill();
      await bench.startRunner(placesOf(victim));
    }
    for (const { run, place } of runs) await expectCompleted(victim, run, place);
  });
});

async function expectCompleted(victim: Runner, run: BegunRun, place: Place): Promise<void> {
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual([1, 2]);
  expect(interruptedIn(frames)).toEqual(place.interrupted);

  expect(await readHomeFile(victim, run, "trace")).toBe(place.executed);
  expect((await downloadFiles(bench.api, run)).get("trace.txt")).toBe(place.trace);

  const requests = requestsOf(bench.model.log(), run.title);
  expectNoAnswerTwice(requests);
  const turns = requests.filter(({ completed }) => completed);
  expect(turns.map(({ phase, index }) => `${phase} ${index}`)).toEqual(turnsOf(place.scenario));
  const told = JSON.stringify(requests.at(-1)?.messages).split("This call was interrupted.");
  expect(told).toHaveLength(place.interrupted.length + 1);
}

/** Every turn of the scenario, once. */
function turnsOf({ plan: planTurns = [{}], build = [] }: ScenarioInput): readonly string[] {
  return [
    ...planTurns.map((_, index) => `plan ${index}`),
    ...build.map((_, index) => `build ${index}`),
  ];
}
