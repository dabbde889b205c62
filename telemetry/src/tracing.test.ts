import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { makeLogger } from "@millrace/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readTraceSettings } from "./trace-settings.ts";
import { within } from "./tracer.ts";
import { startTracing } from "./tracing.ts";

interface Exported {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: unknown }[];
  readonly status: { readonly code?: number };
}

/** What is slow to leave goes on after the end that waited for it. */
const patience = { timeout: 20_000 };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

/** A collector: keeps what it was sent, or takes it and never answers. */
async function startCollector(answers = true) {
  const spans: Exported[] = [];
  const headers: unknown[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = JSON.parse(await text(request)) as {
      readonly resourceSpans: readonly {
        readonly scopeSpans: readonly { readonly spans: readonly Exported[] }[];
      }[];
    };
    headers.push(request.headers["x-team"]);
    spans.push(...sent.resourceSpans.flatMap((one) => one.scopeSpans.flatMap((s) => s.spans)));
    if (answers) response.setHeader("content-type", "application/json").end("{}");
  };
  const server = createServer((request, response) => void take(request, response));
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return { spans, headers, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function start(url: string, more: Readonly<Record<string, string>> = {}) {
  const read = readTraceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: url, ...more }, "test");
  if (!read.ok) throw new Error(read.problem);
  const lines: string[] = [];
  const log = makeLogger({ secrets: [], write: (line) => lines.push(line) });
  const tracing = await startTracing(read.settings, { version: "1", instance: "i", log });
  return { ...tracing, stop: () => tracing.stop(), lines };
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("spans", () => {
  it("reach the collector under the parent that they were given", async () => {
    const collector = await startCollector();
    const { tracer, stop } = await start(collector.url, {
      OTEL_EXPORTER_OTLP_HEADERS: "x-team=blue",
    });
    const span = tracer.span("attempt", parent, { attributes: { a: 1, none: undefined } });
    await within(span.child("good"), () => Promise.resolve());
    const broken = within(span.child("bad"), () => Promise.reject(new TypeError("a secret")));
    await expect(broken).rejects.toThrow("a secret");
    span.end();
    await stop();
    await vi.waitUntil(() => collector.spans.length === 3, patience);
    const [good, bad, attempt] = collector.spans;
    expect(attempt).toMatchObject({
      name: "attempt",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      parentSpanId: "00f067aa0ba902b7",
      attributes: [{ key: "a", value: { intValue: 1 } }],
    });
    expect([good?.parentSpanId, bad?.parentSpanId]).toEqual([attempt?.spanId, attempt?.spanId]);
    expect(bad).toMatchObject({
      status: { code: 2 },
      attributes: [{ key: "error.type", value: { stringValue: "TypeError" } }],
    });
    expect(JSON.stringify(collector.spans)).not.toContain("a secret");
    expect(collector.headers).toEqual(["blue"]);
  });

  it("are not recorded where their trace is not, and begin one where there is none", async () => {
    const collector = await startCollector();
    const { tracer, stop } = await start(collector.url);
    tracer.span("unsampled", parent.replace(/01$/, "00")).end();
    tracer.span("root", null).end();
    await stop();
    await vi.waitUntil(() => collector.spans.length > 0, patience);
    expect(collector.spans.map(({ name }) => name)).toEqual(["root"]);
    expect(collector.spans[0]?.parentSpanId).toBeUndefined();
  });

  it("are dropped when the collector stands still, and the end does not wait for it", async () => {
    const collector = await startCollector(false);
    const { tracer, stop, lines } = await start(collector.url, {
      OTEL_BSP_MAX_QUEUE_SIZE: "10",
      OTEL_EXPORTER_OTLP_TIMEOUT: "60000",
    });
    for (let n = 0; n < 1000; n += 1) tracer.span("one of many", parent).end();
    await stop();
    expect(lines.join("")).toContain("the last spans were not exported in time");
    expect(collector.spans.length).toBeLessThanOrEqual(20);
  });

  it("are lost with a line in the log when nobody listens", async () => {
    const { tracer, stop, lines } = await start("http://127.0.0.1:9", {
      OTEL_EXPORTER_OTLP_TIMEOUT: "100",
    });
    tracer.span("lost", parent).end();
    await stop();
    await vi.waitUntil(() => lines.join("").includes("spans could not be exported"), patience);
    expect(lines.join("")).toContain("ECONNREFUSED");
  });

  it("are nothing without settings", async () => {
    const log = makeLogger({ secrets: [], write: () => undefined });
    const { tracer } = await startTracing(null, { version: "1", instance: "i", log });
    expect(tracer.span("a", parent).child("b")).toBe(tracer.span("c", null));
  });
});
