import { runnerPaths } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../digest.ts";
import { ask, framesOf, makeProject, makeRun } from "../../testing/api.ts";
import { ScriptedRunner } from "../../testing/scripted-runner.ts";

const data = { callId: "c", name: "write_file", phase: "build" } as const;
const whole = JSON.stringify({ ...data, input: { path: "a", content: "x".repeat(300_000) } });

/** A run with one event whose data is too large for its log; answers where the frame says the whole is. */
async function runWithLargeEvent() {
  const project = await makeProject();
  const runner = await ScriptedRunner.join();
  const { body } = await makeRun(project);
  const runId: string = body.data.id;
  const attempt = await runner.take(runId);
  const sha256 = await sha256Hex(whole);
  const path = runnerPaths.eventBlob(runId, sha256);
  for (let times = 0; times < 2; times += 1) {
    expect((await attempt.ask(path, "PUT", whole)).status).toBe(200);
  }
  const blob = { sha256, size: whole.length };
  const preview = { ...data, input: { path: "a", content: "xxx" } };
  await attempt.append([{ type: "tool.started", data: preview, blob }], {
    kind: "succeeded",
    output: "",
  });
  const frames = framesOf(await (await ask(`${project.path}/runs/${runId}/stream`)).text());
  const shown = frames.find(({ event }) => event === "tool")?.data as {
    readonly input: unknown;
    readonly blob: { readonly sha256: string; readonly size: number; readonly url: string };
  };
  return { project, runId, attempt, sha256, shown };
}

describe("an event whose data is too large for the log", () => {
  it("shows a preview, and where its client gets the whole", async () => {
    const { shown, sha256 } = await runWithLargeEvent();
    expect(shown).toMatchObject({
      input: { path: "a", content: "xxx" },
      blob: { sha256, size: whole.length },
    });
    const response = await ask(shown.blob.url);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json",
      "content-length": String(whole.length),
      "cache-control": "private, max-age=31536000, immutable",
    });
    expect(await response.text()).toBe(whole);
    const etag = response.headers.get("etag") ?? "";
    const again = await ask(shown.blob.url, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
    const part = await ask(shown.blob.url, { headers: { range: "bytes=2-7" } });
    expect(part.status).toBe(206);
    expect(await part.text()).toBe(whole.slice(2, 8));
  });

  it("is shown to nobody who has not its run, nor by a name that its content has not", async () => {
    const { shown, project, runId, attempt } = await runWithLargeEvent();
    const other = await makeProject();
    const elsewhere = shown.blob.url.replace(project.path, other.path);
    for (const path of [elsewhere, shown.blob.url.replace(/[0-9a-f]{64}$/, "0".repeat(64))]) {
      expect((await ask(path)).status, path).toBe(404);
    }
    expect((await ask(shown.blob.url, { key: null })).status).toBe(401);
    expect((await ask(shown.blob.url.replace(/[0-9a-f]{64}$/, "nonsense"))).status).toBe(400);
    const misnamed = runnerPaths.eventBlob(runId, "0".repeat(64));
    // The run is over: its attempt stores nothing more, and before that nothing by a wrong name.
    expect((await attempt.ask(misnamed, "PUT", whole)).status).toBe(403);
  });

  it("is not stored under a name that its content has not", async () => {
    const project = await makeProject();
    const runner = await ScriptedRunner.join();
    const { body } = await makeRun(project);
    const attempt = await runner.take(body.data.id);
    const misnamed = runnerPaths.eventBlob(body.data.id, "0".repeat(64));
    expect((await attempt.ask(misnamed, "PUT", whole)).status).toBe(400);
  });

  it("does not open what runners keep to themselves", async () => {
    const project = await makeProject();
    const runner = await ScriptedRunner.join();
    const { body } = await makeRun(project);
    const attempt = await runner.take(body.data.id);
    const sha256 = await sha256Hex(whole);
    await attempt.ask(runnerPaths.blob(body.data.id, sha256), "PUT", whole);
    const path = `${project.path}/runs/${body.data.id}/blobs/${sha256}`;
    expect((await ask(path)).status).toBe(404);
  });
});
