import { describe, expect, it } from "vitest";
import { Api } from "./support/api.ts";
import { releaseAtEnd } from "./support/cleanup.ts";
import { expectNothingLeft, launch, printedFact, untilPrinted } from "./support/launcher.ts";
import { promptFor } from "./support/model-server/scenario.ts";
import { startModelServer } from "./support/model-server/model-server.ts";
import { startRunner } from "./support/runner-process.ts";
import { nameOf } from "./support/sse.ts";
import { unzip } from "./support/zip.ts";

const apiKey = "sk-the-provider-wants-this-one";

function commandPrompt(command: string): string {
  return promptFor({ build: [{ toolCalls: [{ name: "run_command", arguments: { command } }] }] });
}

// wrangler takes ten seconds to start on an idle machine, and much longer on a busy one.
describe("npm run edge, npm run runner", { timeout: 300_000 }, () => {
  it("work together by what the edge prints; another runner goes on with a project", async () => {
    const model = await startModelServer({ apiKey });
    releaseAtEnd(() => model.stop());
    const edge = await launch("edge");
    await untilPrinted(edge, "npm run runner");
    const printed = edge.printed();
    const [, edgeUrl = "", poolToken = ""] =
      /EDGE_URL=(\S+) POOL_TOKEN=(\S+) npm run runner/.exec(printed) ?? [];
    const api = new Api(printedFact(printed, "base URL"), printedFact(printed, "API key"));
    const runnerOptions = {
      edgeUrl,
      poolToken,
      env: { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: model.url },
    };
    const project = await api.createProject();

    const first = await startRunner(runnerOptions);
    const begun = await api.streamRun(project, { prompt: commandPrompt("echo one > one") });
    expect((await begun.stream.toEnd()).map(nameOf).at(-1)).toBe("done");
    expect((await first.stop()).code).toBe(0);
    expect(await first.log()).not.toContain(apiKey);

    await startRunner(runnerOptions);
    const next = await api.streamRun(project, { prompt: commandPrompt("cp one two") });
    const frames = await next.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(frames.find((frame) => nameOf(frame) === "workspace.ready")?.data).toMatchObject({
      restored: true,
    });
    expect((await unzip(await api.download(project, next.runId))).get("two")?.toString()).toBe(
      "one\n",
    );

    edge.process.kill("SIGTERM");
    await edge.exited;
    expect(edge.process.exitCode).toBe(0);
    await expectNothingLeft(edge.stateDir);
  });
});
