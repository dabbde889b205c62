import { describe, expect, it } from "vitest";
import { readTraceSettings, secretsOfTracing } from "./trace-settings.ts";

const read = (raw: Readonly<Record<string, string>>) => readTraceSettings(raw, "millrace-runner");
const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" };

function settingsOf(raw: Readonly<Record<string, string>>) {
  const result = read(raw);
  if (!result.ok) throw new Error(result.problem);
  return result.settings;
}

describe("settings of traces", () => {
  it.each([
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: " " },
    // What a cluster gives to every pod is no reason not to start where nothing is exported.
    { OTEL_TRACES_SAMPLER: "jaeger_remote" },
    { ...endpoint, OTEL_SDK_DISABLED: "true" },
    { ...endpoint, OTEL_TRACES_EXPORTER: "none" },
  ])("are none with %j", (raw) => {
    expect(settingsOf(raw)).toBeNull();
  });

  it("are OpenTelemetry's defaults with an endpoint", () => {
    expect(settingsOf(endpoint)).toStrictEqual({
      url: "http://collector:4318/v1/traces",
      headers: {},
      timeoutMs: 10_000,
      compression: "none",
      resource: { "service.name": "millrace-runner" },
      sampler: { kind: "always_on", ratio: 1, followsParent: true },
      batch: { queueSize: 2048, size: 512, delayMs: 5000, timeoutMs: 30_000 },
    });
  });

  it("come from the standard variables, those of traces first", () => {
    const settings = settingsOf({
      ...endpoint,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example/api/otlp",
      OTEL_EXPORTER_OTLP_HEADERS: "x-team=a, authorization=Basic%20dXNlcg==",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-team=b",
      OTEL_EXPORTER_OTLP_TIMEOUT: "7000",
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "gzip",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment.name=test",
      OTEL_SERVICE_NAME: "mine",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_BSP_MAX_QUEUE_SIZE: "100",
    });
    expect(settings).toMatchObject({
      url: "https://traces.example/api/otlp",
      headers: { "x-team": "b", authorization: "Basic dXNlcg==" },
      timeoutMs: 7000,
      compression: "gzip",
      resource: { "service.name": "mine", "deployment.environment.name": "test" },
      sampler: { kind: "traceidratio", ratio: 0.25, followsParent: true },
      batch: { queueSize: 100, size: 100 },
    });
    expect(secretsOfTracing(settings)).toStrictEqual(["b", "Basic dXNlcg=="]);
  });

  it.each([
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" },
    { ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: "Bearer sk-secret" },
    { ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: "a=%E0%A4%A" },
    { ...endpoint, OTEL_TRACES_SAMPLER: "jaeger_remote" },
    { ...endpoint, OTEL_TRACES_SAMPLER_ARG: "2" },
  ])("are refused for %j, and no value is quoted", (raw) => {
    const result = read(raw);
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain("sk-secret");
  });
});
