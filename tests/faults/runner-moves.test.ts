import { beforeAll, expect, it } from "vitest";
import {
  command,
  downloadFiles,
  mark,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { promptFor, type ScenarioInput } from "../support/model-server/scenario.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  interruptedIn,
  requestsOf,
} from "../support/run-record.ts";
import { nameOf, type Frame } from "../support/sse.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

/** Files of every kind that git knows, and one that it was told to leave out. */
const makeFiles = command(
  [
    "mkdir -p notes && echo hello > notes/hello.txt && echo gone > gone.txt",
    "printf '#!/bin/sh\\necho runs\\n' > run.sh && chmod +x run.sh && ln -s notes/hello.txt link",
    "echo cache > .gitignore && echo ignored > cache",
  ].join(" && "),
);

const look = command(
  "cat notes/hello.txt link; ./run.sh; ls; git log --format=%s%n | wc -w; git status --short",
);

it("the next run of a project, on a runner with another disk, has its files, history and conversation", async () => {
  const first = await bench.startRunner();
  const one = await bench.begin("the first", { build: [makeFiles, { text: "All made." }] });
  expect((await one.stream.toEnd()).at(-1)?.event).toBe("done");
  expect(await first.stop()).toEqual({ code: 0, signal: null });

  const second = await bench.startRunner();
  const two = await beginMessage(one, "the second", {
    build: [look, mark("b"), { text: "Looked." }],
  });
  const frames = await expectRecord(bench.api, two, await two.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual([1]);
  const ready = frames.find((frame) => nameOf(frame) === "workspace.ready")?.data;
  expect(ready).toMatchObject({ restored: true });
  expect(JSON.stringify(ready?.["missing"])).toContain("ignored files");

  const seen = outputOf(frames, "call_build_0_0").split("\n");
  expect(seen.slice(0, 3)).toEqual(["hello", "hello", "runs"]);
  expect(seen).toEqual(expect.arrayContaining(["gone.txt", "link", "notes", "run.sh"]));
  expect(seen).not.toContain("cache");
  const commits = Number(seen.find((line) => /^\d+$/.test(line)));
  expect(commits).toBeGreaterThan(0);
  // The commit of the first run is there, and the files are as it left them.
  expect(seen.filter((line) => /^( M| D|\?\?) /.test(line))).toEqual([]);
  expect(await readHomeFile(second, two, "trace")).toBe("b\n");

  const [asked] = requestsOf(bench.model.log(), "the second");
  const contents = asked?.messages.map((message) => JSON.stringify(message)).join("\n") ?? "";
  expect(contents).toContain("the first");
  expect(contents).toContain("All made.");
});

it("an attempt that moves in mid-build to a runner with another disk has the files of all completed calls", async () => {
  const first = await bench.startRunner();
  const base = await bench.begin("base", { build: [makeFiles, { text: "All made." }] });
  expect((await base.stream.toEnd()).at(-1)?.event).toBe("done");

  const scenario = {
    build: [
      // More than fits into a row: it travels through R2.
      command("head -c 400000 /dev/urandom | base64 > big.txt && sha256sum big.txt"),
      {
        toolCalls: [
          { name: "write_file", arguments: { path: "notes/hello.txt", content: "changed\n" } },
          { name: "run_command", arguments: { command: "rm gone.txt && mkdir -p a/b" } },
          { name: "write_file", arguments: { path: "a/b/new.txt", content: "new\n" } },
        ],
      },
      command("echo half > half.txt; rm notes/hello.txt; echo here; sleep 600"),
      command("sha256sum big.txt; cat notes/hello.txt a/b/new.txt; ls"),
      { text: "Moved." },
    ],
  };
  const run = await bench.begin("moves", scenario, base.projectId);
  await run.stream.until(({ data }) => data["chunk"] === "here\n");
  const second = await bench.startRunner();
  await second.joined();
  await first.kill();

  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual([1, 2]);
  expect(interruptedIn(frames)).toEqual(["call_build_2_0"]);
  expectNoAnswerTwice(requestsOf(bench.model.log(), run.title));

  const [hash, changed, added, ...names] = outputOf(frames, "call_build_3_0").trim().split("\n");
  expect(hash).toBe(outputOf(frames, "call_build_0_0").trim());
  expect([changed, added]).toEqual(["changed", "new"]);
  expect(names).toEqual(["a", "big.txt", "link", "notes", "run.sh"]);
  const files = await downloadFiles(bench.api, run);
  expect(files.get("a/b/new.txt")).toBe("new\n");
  expect(files.has("half.txt") || files.has("gone.txt")).toBe(false);
});

/** A message in the project of an earlier run, followed from its first frame. */
async function beginMessage(
  { projectId }: BegunRun,
  title: string,
  scenario: ScenarioInput,
): Promise<BegunRun> {
  const { id } = await bench.api.createMessage(projectId, promptFor(scenario, title));
  return { title, projectId, runId: id, stream: await bench.api.stream(projectId, id) };
}

/** What a command wrote. */
const outputOf = (frames: readonly Frame[], callId: string): string =>
  frames
    .filter(({ data }) => data["callId"] === callId && data["phase"] === "stream")
    .map(({ data }) => String(data["chunk"]))
    .join("");
