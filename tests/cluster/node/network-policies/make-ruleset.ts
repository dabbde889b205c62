import type {
  V1LabelSelector,
  V1Namespace,
  V1NetworkPolicy,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1Pod,
} from "@kubernetes/client-node";

export interface ClusterView {
  readonly pods: readonly V1Pod[];
  readonly namespaces: readonly V1Namespace[];
  readonly policies: readonly V1NetworkPolicy[];
}

const table = "inet network_policies";

interface Direction {
  readonly type: "Ingress" | "Egress";
  /** Field of the packet that holds the policed pod, and the one that holds the other end. */
  readonly own: string;
  readonly other: string;
}
const directions: readonly Direction[] = [
  { type: "Egress", own: "ip saddr", other: "ip daddr" },
  { type: "Ingress", own: "ip daddr", other: "ip saddr" },
];

/**
 * NetworkPolicies as one table for `nft -f`, to be put in place at once. Packets are judged behind the translation of Service
 * addresses. The node itself reaches its pods, as the API demands. Numeric ports alone; IPv4 alone.
 */
export function makeRuleset(view: ClusterView): string {
  const chains = view.pods
    .filter((pod) => isOnNetwork(pod))
    .flatMap((pod) => directions.flatMap((direction) => chainOf(view, pod, direction)));
  const jumps = (types: readonly string[]) =>
    chains.filter(({ type }) => types.includes(type)).map(({ jump }) => jump);
  return [
    `table ${table} {}`,
    `delete table ${table}`,
    `table ${table} {`,
    ...chains.map(({ name, rules }) => block(`chain ${name}`, [...rules, "drop"])),
    hook("forward", jumps(["Egress", "Ingress"])),
    // What a pod sends to the node itself: the API server, names.
    hook("input", jumps(["Egress"])),
    "}\n",
  ].join("\n");
}

const block = (head: string, lines: readonly string[]): string =>
  `${head} {\n  ${lines.join("\n  ")}\n}`;

const hook = (name: string, jumps: readonly string[]): string =>
  block(`chain ${name}`, [
    `type filter hook ${name} priority filter`,
    "ct state established,related accept",
    ...jumps,
  ]);

function chainOf(view: ClusterView, pod: V1Pod, direction: Direction) {
  const { type, own } = direction;
  const policies = view.policies.filter((policy) => applies(policy, pod, type));
  if (policies.length === 0) return [];
  const ip = pod.status?.podIP ?? "";
  const name = `${type}_${ip.replaceAll(".", "_")}`;
  const rules = policies.flatMap((policy) => rulesOf(view, policy, direction));
  return [{ type, name, rules, jump: `${own} ${ip} jump ${name}` }];
}

function applies({ metadata, spec }: V1NetworkPolicy, pod: V1Pod, type: string): boolean {
  if (!spec || metadata?.namespace !== pod.metadata?.namespace) return false;
  const types = spec.policyTypes ?? ["Ingress", ...(spec.egress ? ["Egress"] : [])];
  return types.includes(type) && isSelected(spec.podSelector, pod.metadata?.labels);
}

/** `return` and not `accept`: the packet has still to pass the policies of its other end. */
function rulesOf(view: ClusterView, policy: V1NetworkPolicy, { type, other }: Direction) {
  const { spec, metadata } = policy;
  const rules =
    type === "Egress"
      ? (spec?.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }))
      : (spec?.ingress ?? []).map(({ _from, ports }) => ({ peers: _from, ports }));
  return rules.flatMap(({ peers, ports }) => {
    const ends = peers?.length
      ? peers.flatMap((peer) => matchPeer(view, peer, { other, namespace: metadata?.namespace }))
      : [""];
    const services = ports?.length ? ports.flatMap(matchPort) : [""];
    return ends.flatMap((end) => services.map((service) => `${end} ${service} return`.trim()));
  });
}

function matchPeer(
  view: ClusterView,
  { ipBlock, podSelector, namespaceSelector }: V1NetworkPolicyPeer,
  from: { readonly other: string; readonly namespace: string | undefined },
): readonly string[] {
  if (ipBlock) {
    if (ipBlock.cidr.includes(":")) return [];
    const except = ipBlock.except?.length ? `${from.other} != ${set(ipBlock.except)}` : "";
    return [`${from.other} ${ipBlock.cidr} ${except}`];
  }
  const namespaces = new Set(
    namespaceSelector
      ? view.namespaces
          .filter(({ metadata }) => isSelected(namespaceSelector, metadata?.labels))
          .map(({ metadata }) => metadata?.name)
      : [from.namespace],
  );
  const ips = view.pods
    .filter((pod) => isOnNetwork(pod) && namespaces.has(pod.metadata?.namespace))
    .filter(({ metadata }) => isSelected(podSelector ?? {}, metadata?.labels))
    .map(({ status }) => status?.podIP ?? "");
  return ips.length > 0 ? [`${from.other} ${set(ips)}`] : [];
}

function matchPort({ protocol = "TCP", port, endPort }: V1NetworkPolicyPort): readonly string[] {
  const kind = protocol.toLowerCase();
  if (port === undefined) return [`meta l4proto ${kind}`];
  if (typeof port !== "number") return [];
  return [`${kind} dport ${port}${endPort === undefined ? "" : `-${endPort}`}`];
}

const set = (elements: readonly string[]): string => `{ ${elements.join(", ")} }`;

function isOnNetwork({ spec, status }: V1Pod): boolean {
  const isOver = status?.phase === "Succeeded" || status?.phase === "Failed";
  return status?.podIP !== undefined && !spec?.hostNetwork && !isOver;
}

function isSelected(
  { matchLabels = {}, matchExpressions = [] }: V1LabelSelector = {},
  labels: Readonly<Record<string, string>> = {},
): boolean {
  const isEqual = Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
  return isEqual && matchExpressions.every((expression) => isFulfilled(expression, labels));
}

function isFulfilled(
  { key, operator, values = [] }: NonNullable<V1LabelSelector["matchExpressions"]>[number],
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[key];
  const isAmong = value !== undefined && values.includes(value);
  const tests: Readonly<Record<string, boolean>> = {
    In: isAmong,
    NotIn: !isAmong,
    Exists: value !== undefined,
    DoesNotExist: value === undefined,
  };
  return tests[operator] ?? false;
}
