import { loadAllYaml, type V1Pod } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { hasControlPlane } from "../support/binaries.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";
import { valuesVariants } from "../support/values-variants.ts";

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.unknown().optional(),
});
type Manifest = z.infer<typeof Manifest>;

async function render(values: Values): Promise<readonly Manifest[]> {
  const flags = setFlags({ ...requiredValues, ...values });
  const { stdout } = await helm(["template", "m", chart, "--namespace", "agents", ...flags]);
  return loadAllYaml(stdout)
    .filter(Boolean)
    .map((one) => Manifest.parse(one));
}

async function runnerRules(values: Values, of = "runner") {
  const policy = (await render(values)).find(
    ({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === `m-millrace-${of}`,
  );
  const Rules = z.looseObject({ policyTypes: z.array(z.string()), egress: z.array(z.unknown()) });
  return Rules.parse(policy?.spec);
}

/** What the operator is told of all sessions. */
function settingsOf(manifests: readonly Manifest[]): unknown {
  const Settings = z.looseObject({ data: z.object({ "sessions.json": z.string() }) });
  const [settings] = manifests.flatMap((one) => {
    const parsed = Settings.safeParse(one);
    return parsed.success ? [parsed.data] : [];
  });
  return JSON.parse(settings?.data["sessions.json"] ?? "{}");
}

/** Pod specs of whatever runs pods, by the object that holds them. */
function podSpecs(manifests: readonly Manifest[]): readonly (readonly [string, V1Pod["spec"]])[] {
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const label = `${kind}/${metadata.name}`;
    if (kind === "Pod") return [[label, spec as V1Pod["spec"]] as const];
    const template = z
      .looseObject({ template: z.looseObject({ spec: z.unknown() }) })
      .safeParse(spec);
    return template.success ? [[label, template.data.template.spec as V1Pod["spec"]] as const] : [];
  });
}

describe.skipIf(!hasControlPlane)("the chart, rendered", () => {
  it.each(Object.entries(valuesVariants))(
    "passes helm lint --strict with %s",
    async (_, values) => {
      const flags = setFlags({ ...requiredValues, ...values });
      const { stdout } = await helm(["lint", "--strict", chart, ...flags]);
      expect(stdout).toContain("0 chart(s) failed");
    },
  );

  it.each(Object.entries(valuesVariants))("renders with %s", async (_, values) => {
    const manifests = await render(values);
    expect(manifests.length).toBeGreaterThan(2);
    // What runs here is restricted whatever the values say.
    for (const [label, spec] of podSpecs(manifests)) {
      expect(spec?.securityContext, label).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 65_532,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(spec?.enableServiceLinks, label).toBe(false);
      for (const container of spec?.containers ?? []) {
        expect(container.securityContext, label).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(Object.keys(container.resources?.limits ?? {}), label).toContain("memory");
      }
    }
  });

  it("takes values of a chart that had fewer, as --reuse-values brings them", async () => {
    const fewer = {
      "sessions.shared": null,
      "operator.uninstallSeconds": null,
      tracing: null,
      proxy: null,
      "runners.poolTokenFrom": null,
      "sessions.env": null,
      "sessions.serviceAccount": null,
    };
    expect(await render(fewer)).toEqual(await render({}));
  });

  it("writes large numbers as they were written", async () => {
    const specs = new Map(podSpecs(await render({ "runners.env": '{"RUN_TIMEOUT_MS":7200000}' })));
    const [runner] = specs.get("Deployment/m-millrace-runner")?.containers ?? [];
    expect(runner?.env).toContainEqual({ name: "RUN_TIMEOUT_MS", value: "7200000" });
  });

  it("mounts no token of the cluster where runs execute", async () => {
    const specs = new Map(podSpecs(await render({})));
    expect(specs.get("Deployment/m-millrace-runner")?.automountServiceAccountToken).toBe(false);
    expect(specs.get("Pod/m-millrace-edge-answers")?.automountServiceAccountToken).toBe(false);
  });

  it("lets runners out to names, the edge and the outside, and nobody in", async () => {
    const open = await runnerRules({});
    expect(open).not.toHaveProperty("ingress");
    expect(open.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(JSON.stringify(open.egress)).toContain("169.254.0.0/16");
    const strict = await runnerRules(valuesVariants["strict egress"] ?? {});
    expect(JSON.stringify(strict.egress)).not.toContain("0.0.0.0/0");
    expect(JSON.stringify(strict.egress)).toContain("198.51.100.7/32");
    const inside = await runnerRules(valuesVariants["an edge in a private network"] ?? {});
    expect(inside.egress).toContainEqual({
      ports: [{ protocol: "TCP", port: 8787 }],
      to: [{ ipBlock: { cidr: "10.1.2.3/32" } }],
    });
  });

  it("tells everybody that exports spans where to, and lets them", async () => {
    const values = valuesVariants["spans for a collector in the cluster"] ?? {};
    const manifests = await render(values);
    const specs = new Map(podSpecs(manifests));
    for (const name of ["runner", "operator"]) {
      expect(specs.get(`Deployment/m-millrace-${name}`)?.containers[0]?.env).toEqual(
        expect.arrayContaining([
          {
            name: "OTEL_EXPORTER_OTLP_ENDPOINT",
            value: "http://otel-collector.observability:4318",
          },
          { name: "OTEL_TRACES_SAMPLER_ARG", value: "0.1" },
          {
            name: "OTEL_EXPORTER_OTLP_HEADERS",
            valueFrom: { secretKeyRef: { name: "collector", key: "headers" } },
          },
        ]),
      );
      const policy = manifests.find(
        ({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === `m-millrace-${name}`,
      );
      expect(JSON.stringify(policy?.spec)).toContain('"port":4318');
    }
    expect(settingsOf(manifests)).toMatchObject({
      tracing: {
        env: { OTEL_TRACES_SAMPLER_ARG: "0.1" },
        headers: { secret: "collector", key: "headers" },
      },
    });
    const outside = await render({
      "tracing.endpoint": "https://otlp.example.com",
      "operator.apiServerCidrs": '["10.0.0.1/32"]',
      "edge.cidrs": '["198.51.100.7/32"]',
    });
    const operator = outside.find(
      ({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === "m-millrace-operator",
    );
    const toOutside = { ipBlock: { cidr: "0.0.0.0/0" } };
    expect(operator?.spec).toMatchObject({
      egress: expect.arrayContaining([
        expect.objectContaining({
          ports: [{ protocol: "TCP", port: 443 }],
          to: expect.arrayContaining([
            expect.objectContaining({ ipBlock: expect.objectContaining(toOutside.ipBlock) }),
          ]),
        }),
      ]),
    });
    expect(JSON.stringify(await render({}))).not.toContain("OTEL_");
  });

  it("tells everybody that leaves over a proxy where it is, and lets them there alone", async () => {
    const manifests = await render(valuesVariants["a proxy for whatever leaves"] ?? {});
    const pods = podSpecs(manifests);
    expect(pods.length).toBe(4);
    for (const [label, spec] of pods) {
      expect(spec?.containers[0]?.env, label).toEqual(
        expect.arrayContaining([
          { name: "NO_PROXY", value: "localhost,127.0.0.1,.svc,.cluster.local" },
          {
            name: "HTTPS_PROXY",
            valueFrom: { secretKeyRef: { name: "proxy", key: "https-proxy" } },
          },
        ]),
      );
    }
    const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy");
    const leaving = policies.filter(({ spec }) => JSON.stringify(spec).includes('"egress"'));
    expect(leaving.length).toBe(3);
    for (const { metadata, spec } of leaving) {
      expect(spec, metadata.name).toMatchObject({
        egress: expect.arrayContaining([
          {
            ports: [{ protocol: "TCP", port: 3128 }],
            to: [{ ipBlock: { cidr: "10.0.0.8/32" } }],
          },
        ]),
      });
      expect(JSON.stringify(spec), metadata.name).not.toContain("0.0.0.0/0");
    }
    expect(settingsOf(manifests)).toMatchObject({
      proxy: {
        url: "http://proxy.example.com:3128",
        secret: { name: "proxy", key: "https-proxy" },
      },
    });
    expect(JSON.stringify(await render({}))).not.toContain("HTTPS_PROXY");
  });

  it("lets runners and the operator out to an edge on any port, wherever the API server is", async () => {
    const outside = { ipBlock: { cidr: "0.0.0.0/0" } };
    const values = { "edge.url": "https://edge.example.com:8443" };
    for (const of of ["runner", "operator"]) {
      const { egress } = await runnerRules(values, of);
      expect(egress, of).toContainEqual(
        expect.objectContaining({ ports: [{ protocol: "TCP", port: 8443 }] }),
      );
      expect(JSON.stringify(egress), of).toContain("169.254.0.0/16");
    }
    const { egress } = await runnerRules(
      { "operator.apiServerCidrs": '["10.0.0.1/32"]' },
      "operator",
    );
    expect(egress).toMatchObject([
      { ports: [{ port: 53 }, { port: 53 }] },
      { ports: [{ port: 443 }], to: [outside, { ipBlock: { cidr: "::/0" } }] },
      { ports: [{ port: 443 }, { port: 6443 }], to: [{ ipBlock: { cidr: "10.0.0.1/32" } }] },
    ]);
  });

  it("lets sessions out where it lets runners out", async () => {
    const values = valuesVariants["a model in the cluster"] ?? {};
    const { egress } = await runnerRules(values);
    expect(egress.at(-1)).toMatchObject({ ports: [{ port: 8000 }] });
    expect(settingsOf(await render(values))).toMatchObject({ egress });
  });

  it("makes no policy at all when there are to be none, and tells the operator so", async () => {
    const manifests = await render({
      ...valuesVariants["no network policies"],
      "warmPool.size": 1,
    });
    expect(manifests.map(({ kind }) => kind)).not.toContain("NetworkPolicy");
    expect(settingsOf(manifests)).toMatchObject({ networkPolicies: false });
    expect(settingsOf(manifests)).not.toHaveProperty("egress");
    expect(settingsOf(await render({}))).toMatchObject({ networkPolicies: true });
  });

  it.each([
    ["no edge", { "edge.url": "" }, "edge.url"],
    ["an edge without a scheme", { "edge.url": "edge.example.com" }, "/edge/url"],
    ["an edge with a path", { "edge.url": "https://edge.example.com/v1" }, "/edge/url"],
    ["no token", { "pool.tokenSecret": "" }, "pool.tokenSecret"],
    ["a misspelt value", { "runners.slotz": 3 }, "slotz"],
    ["no slots", { "runners.slots": 0 }, "/runners/slots"],
    ["an address that is none", { "edge.cidrs": '["edge.example.com"]' }, "/edge/cidrs/0"],
    ["strict egress without the edge", { "networkPolicy.egress.mode": "strict" }, "edge.cidrs"],
    [
      "a collector that no policy lets anybody to",
      { "tracing.endpoint": "http://c:4318" },
      "tracing.to",
    ],
    [
      "a variable that is not OpenTelemetry's",
      { "tracing.env": '{"NODE_OPTIONS":"x"}' },
      "/tracing/env",
    ],
    ["two releases of one namespace", { "sessions.shared": false }, "sessions.namespace"],
    ["an uninstall without time", { "operator.uninstallSeconds": 0 }, "/operator/uninstallSeconds"],
    [
      "a proxy that no policy lets anybody to",
      { "proxy.httpsProxy": "http://proxy.example.com:3128" },
      "proxy.to",
    ],
    [
      "a proxy with a password in the values",
      { "proxy.httpsProxy": "http://u:p@proxy.example.com:3128" },
      "/proxy/httpsProxy",
    ],
    ["accounts that nobody names", { "serviceAccounts.create": false }, "serviceAccounts."],
  ])("refuses %s, and names it", async (_, values, named) => {
    await expect(render(values)).rejects.toThrow(named);
  });
});
