import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAllYaml } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkout } from "../../support/build-paths.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";

const Labels = z.record(z.string(), z.string());
const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: Labels.optional() }),
  spec: z.unknown().optional(),
  data: z.record(z.string(), z.string()).optional(),
});
const text = (file: string): string => readFileSync(join(checkout, file), "utf8");

async function render(values: Values) {
  const flags = setFlags({ ...requiredValues, ...values });
  const { stdout } = await helm(["template", "m", chart, "--namespace", "agents", ...flags]);
  const manifests = loadAllYaml(stdout).filter(Boolean);
  return manifests.map((one) => Manifest.parse(one));
}

/** Its kinds are not Kubernetes' own, so it is rendered here and installed nowhere. */
const monitored = (): ReturnType<typeof render> =>
  render({
    "sessions.enabled": true,
    "monitoring.serviceMonitor.enabled": true,
    "monitoring.rules.enabled": true,
    "monitoring.dashboard.enabled": true,
    "operator.metricsFrom": '[{"namespaceSelector":{"matchLabels":{"name":"monitoring"}}}]',
  });

/** The operator's metrics as its code declares them, by name. */
const declared = new Map(
  [...text("operator/src/metrics.ts").matchAll(/new (\w+)\(\{\s+name: "(\w+)"/g)].map(
    ([, kind = "", name = ""]) => [name, kind],
  ),
);

/** Names of series in a text. A histogram is asked for by its parts, anything else by its name. */
function expectDeclared(where: string): void {
  const names = new Set(where.match(/\bmillrace_\w+/g));
  expect(names.size).toBeGreaterThan(0);
  for (const name of names) {
    const [, histogram] = /^(\w+)_(?:bucket|sum|count)$/.exec(name) ?? [];
    const kind = histogram === undefined ? declared.get(name) : declared.get(histogram);
    expect(kind, name).toBeDefined();
    expect(kind === "Histogram", name).toBe(histogram !== undefined);
  }
}

describe.skipIf(!hasControlPlane)("the chart's monitoring", () => {
  it("is off unless asked for", async () => {
    const kinds = (await render({ "sessions.enabled": true })).map(({ kind }) => kind);
    for (const kind of ["Service", "ServiceMonitor", "PrometheusRule"]) {
      expect(kinds).not.toContain(kind);
    }
  });

  it("scrapes the operator's replicas", async () => {
    const manifests = await monitored();
    const of = (kind: string) =>
      manifests.find((one) => one.kind === kind && one.metadata.name.endsWith("-operator"));
    const Service = z.looseObject({
      selector: Labels,
      ports: z.tuple([z.looseObject({ name: z.string(), targetPort: z.string() })]),
    });
    const service = Service.parse(of("Service")?.spec);
    const Monitor = z.looseObject({
      selector: z.object({ matchLabels: Labels }),
      endpoints: z.tuple([z.looseObject({ port: z.string(), path: z.string() })]),
    });
    const monitor = Monitor.parse(of("ServiceMonitor")?.spec);
    const Pods = z.looseObject({
      template: z.looseObject({ metadata: z.looseObject({ labels: Labels }) }),
    });
    expect(Pods.parse(of("Deployment")?.spec).template.metadata.labels).toMatchObject(
      service.selector,
    );
    expect(of("Service")?.metadata.labels).toMatchObject(monitor.selector.matchLabels);
    expect(monitor.endpoints[0]).toMatchObject({ port: service.ports[0].name, path: "/metrics" });
    expect(JSON.stringify(of("Deployment")?.spec)).toContain('"containerPort":8080,"name":"http"');
  });

  it("asks only for metrics that the operator has", async () => {
    const manifests = await monitored();
    const rule = manifests.find(({ kind }) => kind === "PrometheusRule");
    expectDeclared(
      [...JSON.stringify(rule?.spec).matchAll(/"expr":"((?:[^"\\]|\\.)*)"/g)]
        .map(([, expr]) => expr)
        .join("\n"),
    );
    const dashboard = manifests.find(
      ({ metadata }) => metadata.labels?.["grafana_dashboard"] === "1",
    );
    const Dashboard = z.looseObject({
      panels: z.array(z.looseObject({ targets: z.array(z.looseObject({ expr: z.string() })) })),
    });
    const { panels } = Dashboard.parse(
      JSON.parse(dashboard?.data?.["millrace-sessions.json"] ?? ""),
    );
    expectDeclared(panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join("\n"));
  });

  it("selects one operator's series, of this release", async () => {
    const rule = (await monitored()).find(({ kind }) => kind === "PrometheusRule");
    for (const [selector] of JSON.stringify(rule?.spec).matchAll(/millrace_\w+\{[^}]*\}/g)) {
      expect(selector).toContain('job=\\"m-millrace-operator\\",namespace=\\"agents\\"');
    }
  });
});

describe("the table of metrics", () => {
  it("names each that the operator has, with its kind, and no other", () => {
    const rows = text("operator/README.md").matchAll(/^\| `(millrace_\w+)` +\| (\w+)/gm);
    const documented = new Map([...rows].map(([, name = "", kind = ""]) => [name, kind]));
    const lower = [...declared].map(([name, kind]) => [name, kind.toLowerCase()] as const);
    expect(documented).toEqual(new Map(lower));
  });
});
