import { v1 } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { ask, askJson, framesOf, makeProject, makeRun, uniqueName } from "../../testing/api.ts";
import { ScriptedRunner } from "../../testing/scripted-runner.ts";

describe("a run that is executed", () => {
  it("is followed from its first event to its last", async () => {
    const runner = await ScriptedRunner.join();
    const project = await makeProject();
    const response = await ask(`${project.path}/runs`, {
      json: { prompt: "say hello", stream: true },
      headers: { "idempotency-key": uniqueName("key") },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const runId = response.headers.get("x-run-id") ?? "";
    const attempt = await runner.take(runId);
    await attempt.append([
      { type: "run.phase", data: { phase: "plan", state: "started" } },
      { type: "text.delta", data: { messageId: "m", text: "hel" } },
      { type: "text.delta", data: { messageId: "m", text: 'lo "you"' } },
    ]);
    await attempt.append([], { kind: "succeeded", output: "hello" });
    const text = await response.text();
    const frames = framesOf(text);
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1));
    const names = frames.map(({ event, data }) => {
      const status = (data as { readonly status?: string }).status;
      return event === "status" ? status : event;
    });
    expect(names).toEqual(["queued", "running", "phase_started", "token", "token", "done"]);

    const path = `${project.path}/runs/${runId}/stream`;
    expect(await (await ask(path)).text()).toBe(text);
    for (let after = 0; after <= frames.length; after += 1) {
      const resumed = await ask(`${path}?after=0`, { headers: { "last-event-id": `${after}` } });
      expect(framesOf(await resumed.text())).toEqual(frames.slice(after));
    }
    expect(await (await ask(`${path}?after=99`)).text()).toBe("");
    const summary = await askJson(`${project.path}/runs/${runId}`);
    expect(summary.body.data).toMatchObject({
      status: "completed",
      output: "hello",
      error: null,
      meta: { attempt: 1 },
    });
    const said = await askJson(`${project.path}/runs/${runId}/messages`);
    expect(v1.page(v1.Message).parse(said.body).data).toMatchObject([
      { role: "user", content: "say hello" },
      { role: "assistant", content: "hello" },
    ]);
  });

  it("continues the conversation with a message", async () => {
    const project = await makeProject();
    const { status, body } = await makeRun(project, { content: "and now?", input: 7 });
    expect(status).toBe(200);
    expect(v1.envelope(v1.MessageCreated).parse(body).data).toMatchObject({
      run: { projectId: project.id, created: true },
      message: { role: "user", content: "and now?" },
    });
    const path = `${project.path}/runs/${body.data.run.id}/messages?limit=1`;
    expect((await askJson(path)).body).toMatchObject({
      data: [{ role: "user", content: "and now?", input: 7, runId: body.data.run.id }],
      meta: { total: 1, next: null },
    });
  });
});

describe("a stream", () => {
  it.each(["abc", "-1", "1.5", " ", "1e3"])("refuses the cursor %j", async (cursor) => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}/stream`;
    const asQuery = await askJson(`${path}?after=${encodeURIComponent(cursor)}`);
    expect(asQuery).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    if (cursor.trim() === "") return;
    const asHeader = await askJson(path, { headers: { "last-event-id": cursor } });
    expect(asHeader).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
  });

  it("answers HEAD without staying open", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}/stream`;
    const response = await ask(path, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-run-id")).toBe(body.data.id);
    expect(await response.text()).toBe("");
    const absent = await ask(`${project.path}/runs/${crypto.randomUUID()}/stream`, {
      method: "HEAD",
    });
    expect(absent.status).toBe(404);
  });

  it("ends after the terminal frame of a cancelled run", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}`;
    const stream = await ask(`${path}/stream`);
    const cancel = await askJson(`${path}/cancel`, { method: "POST" });
    expect(v1.envelope(v1.RunCancelled).parse(cancel.body).data).toMatchObject({
      id: body.data.id,
      projectId: project.id,
      cancelled: true,
      writable: true,
    });
    const frames = framesOf(await stream.text());
    expect(frames.at(-1)).toMatchObject({ event: "status", data: { status: "cancelled" } });
    const again = await askJson(`${path}/cancel`, { method: "POST" });
    expect(again.body.data).toMatchObject({ status: "cancelled", cancelled: true });
    expect((await askJson(`${path}/download.zip`)).status).toBe(404);
  });
});
