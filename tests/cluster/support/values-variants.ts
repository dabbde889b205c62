import type { Values } from "./helm.ts";

/** The values that docs/guides/cluster.md shows, one by one. */
export const valuesVariants: Readonly<Record<string, Values>> = {
  defaults: {},
  "provider keys": { "pool.providerSecret": "millrace-providers" },
  "an edge in a private network": {
    "edge.url": "http://10.1.2.3:8787",
    "edge.cidrs": '["10.1.2.3/32"]',
  },
  "strict egress": {
    "networkPolicy.egress.mode": "strict",
    "networkPolicy.egress.cidrs": '["203.0.113.0/24"]',
    "edge.cidrs": '["198.51.100.7/32"]',
  },
  "a model in the cluster": {
    "networkPolicy.egress.rules": JSON.stringify([
      {
        ports: [{ protocol: "TCP", port: 8000 }],
        to: [{ namespaceSelector: { matchLabels: { name: "models" } } }],
      },
    ]),
  },
  "autoscaling on the CPU": { "runners.autoscaling.enabled": true },
  "autoscaling on a metric": {
    "runners.autoscaling.enabled": true,
    "runners.autoscaling.metric": '{"name":"millrace_free_slots","averageValue":"1"}',
  },
  "a registry of one's own": {
    "image.registry": "registry.example.com/",
    "image.pullSecrets": '["registry"]',
    "image.runner.digest": `sha256:${"0".repeat(64)}`,
  },
  "a sandboxed runtime on its own nodes": {
    "runners.runtimeClassName": "gvisor",
    "runners.nodeSelector": '{"pool":"agents"}',
    "runners.tolerations": '[{"key":"agents","operator":"Exists"}]',
  },
  "accounts made by somebody else": {
    "serviceAccounts.create": false,
    "serviceAccounts.runner": "agents",
    "serviceAccounts.operator": "agents-operator",
  },
  "runners alone": { "sessions.enabled": false },
  "sessions alone": { "runners.enabled": false },
  "sessions of one namespace": { "sessions.namespace": "work" },
  "sessions beside another release's": { "sessions.shared": false, "sessions.namespace": "work" },
  "sessions of the edge's users": {
    "sessions.identities": '[{"owner":"*","user":"edge-user","namespace":"work"}]',
    "sessions.allowedImages": '["registry.example.com/agents/*"]',
  },
  "a warm pool": {
    "sessions.enabled": true,
    "sessions.namespace": "work",
    "warmPool.size": 3,
  },
  "spans for a collector in the cluster": {
    "tracing.endpoint": "http://otel-collector.observability:4318",
    "tracing.headersSecret": "collector",
    "tracing.env":
      '{"OTEL_TRACES_SAMPLER":"parentbased_traceidratio","OTEL_TRACES_SAMPLER_ARG":"0.1"}',
    "tracing.to": JSON.stringify([
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "observability" } } },
    ]),
  },
  "a proxy for whatever leaves": {
    "proxy.httpsProxy": "http://proxy.example.com:3128",
    "proxy.secret": "proxy",
    "proxy.to": '[{"ipBlock":{"cidr":"10.0.0.8/32"}}]',
    "networkPolicy.egress.mode": "strict",
  },
  "a pool's token that is replaced without a restart": { "runners.poolTokenFrom": "file" },
  "no network policies": { "networkPolicy.enabled": false },
};
