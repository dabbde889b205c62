/**
 * The library in a process of its own, for tests against a real API server: commands come as JSON
 * lines, answers and news go out as JSON lines. It ends with its standard input.
 */
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { z } from "zod";
import { ApiError } from "../kube/api-error.ts";
import { EventRecorder } from "../kube/event-recorder.ts";
import { addFinalizer, removeFinalizer } from "../kube/finalizers.ts";
import { Informer } from "../kube/informer.ts";
import { type KubeObject, type Stored, defineKind } from "../kube/kind.ts";
import { KubeClient } from "../kube/kube-client.ts";
import { LeaderElection, type Leadership } from "../kube/leader-election.ts";
import { makeLeaseStore } from "../kube/lease-store.ts";
import { loadKubeConfig } from "../load-kube-config.ts";

const configMaps = defineKind<Stored<V1ConfigMap>>("v1", "ConfigMap", "configmaps");
const pods = defineKind<KubeObject & { readonly status?: object }>("v1", "Pod", "pods");

const Meta = z.looseObject({ name: z.string(), namespace: z.string() });
const Command = z.discriminatedUnion("op", [
  z.object({
    op: z.literal("watch"),
    namespace: z.string(),
    pageSize: z.number().optional(),
    silenceMs: z.number().optional(),
  }),
  z.object({ op: z.literal("cached") }),
  z.object({ op: z.literal("lead"), lease: Meta, leaseMs: z.number() }),
  z.object({ op: z.literal("retire") }),
  z.object({
    op: z.literal("apply"),
    metadata: Meta,
    data: z.record(z.string(), z.string()),
    force: z.boolean(),
    manager: z.string().optional(),
    user: z.string().optional(),
  }),
  z.object({ op: z.literal("applyStatus"), ref: Meta, status: z.record(z.string(), z.unknown()) }),
  z.object({ op: z.literal("addFinalizer"), ref: Meta, finalizer: z.string() }),
  z.object({ op: z.literal("removeFinalizer"), ref: Meta, finalizer: z.string() }),
  z.object({ op: z.literal("delete"), ref: Meta, uid: z.string().optional() }),
  z.object({
    op: z.literal("record"),
    ref: Meta,
    times: z.number(),
    reason: z.string(),
    note: z.string(),
  }),
]);
type Command = z.output<typeof Command>;
type Of<O extends Command["op"]> = Extract<Command, { op: O }>;

const api = new KubeClient(loadKubeConfig(process.env["KUBECONFIG"]), {
  fieldManager: "library-test",
  timeoutMs: 10_000,
});
const stop = new AbortController();
const retire = new AbortController();
let informer: Informer<Stored<V1ConfigMap>> | undefined;

function say(news: object): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}

function watch({ namespace, pageSize = 500, silenceMs = 150_000 }: Of<"watch">): void {
  informer = new Informer({
    api,
    kind: configMaps,
    namespace,
    pageSize,
    silenceMs,
    backoff: { firstMs: 50, longestMs: 500 },
    onRelist: () => say({ news: "relisted" }),
    onError: (error) => say({ news: "trouble", message: String(error) }),
  });
  informer.subscribe(({ type, object }) => {
    say({ news: type, name: object.metadata.name, version: object.metadata.resourceVersion });
  });
  void informer.run(stop.signal);
  void informer.synced.then(() => say({ news: "synced" }));
}

/** While it leads it writes all the time, as fast as a controller with much to do. */
function lead(lease: z.output<typeof Meta>, leaseMs: number): void {
  const election = new LeaderElection({
    store: makeLeaseStore(api, lease, Date.now),
    identity: `${process.pid}_${randomUUID()}`,
    leaseMs,
    onError: (error) => say({ news: "trouble", message: String(error) }),
  });
  const signal = AbortSignal.any([stop.signal, retire.signal]);
  void election
    .run((leadership) => writeAll(leadership, lease.namespace), signal)
    .then(() => say({ news: "retired" }));
}

async function writeAll({ signal, assertHeld, term }: Leadership, namespace: string) {
  say({ news: "leads", term });
  const bound = api.with({ signal, guard: assertHeld });
  while (!signal.aborted) {
    const metadata = { name: `write-${randomUUID()}`, namespace, labels: { wrote: "leader" } };
    await bound
      .create(configMaps, { metadata, data: { term: String(term), began: String(Date.now()) } })
      .catch(() => undefined);
    await sleep(20);
  }
  say({ news: "follows", term });
}

const handlers: { readonly [O in Command["op"]]: (command: Of<O>) => unknown } = {
  watch,
  cached: () => [...(informer?.cache.keys() ?? [])].toSorted(),
  lead: ({ lease, leaseMs }) => lead(lease, leaseMs),
  retire: () => retire.abort(),
  apply,
  applyStatus: ({ ref, status }) => api.applyStatus(pods, ref, status),
  addFinalizer: async ({ ref, finalizer }) =>
    addFinalizer(api, configMaps, await found(ref), finalizer),
  removeFinalizer: async ({ ref, finalizer }) =>
    removeFinalizer(api, configMaps, await found(ref), finalizer),
  delete: ({ ref, uid }) => api.delete(configMaps, ref, uid === undefined ? {} : { uid }),
  record: async (command) => record(await found(command.ref), command),
};

async function run(command: Command): Promise<unknown> {
  // Each handler takes what its name says; the compiler cannot follow that through a lookup.
  const handle = handlers[command.op] as (given: Command) => unknown;
  return handle(command);
}

function apply(command: Of<"apply">): Promise<unknown> {
  const { metadata, data, force, manager, user } = command;
  const client = api.with({
    ...(manager !== undefined && { fieldManager: manager }),
    ...(user !== undefined && { as: { user } }),
  });
  return client.apply(configMaps, { metadata, data }, { force });
}

async function found(ref: z.output<typeof Meta>): Promise<Stored<V1ConfigMap>> {
  const object = await api.get(configMaps, ref);
  if (!object) throw new Error(`no ConfigMap ${ref.name}`);
  return object;
}

async function record(about: KubeObject, command: Of<"record">) {
  const failures: string[] = [];
  const recorder = new EventRecorder({
    api,
    controller: "millrace.dev/library-test",
    instance: "test",
    onError: (error) => failures.push(String(error)),
  });
  const { reason, note } = command;
  for (let i = 0; i < command.times; i += 1) {
    recorder.record(about, { type: "Warning", reason, action: "Test", note });
  }
  await recorder.flush();
  return failures;
}

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const { id, ...command } = JSON.parse(line) as { readonly id: number };
  void run(Command.parse(command)).then(
    (value) => say({ id, value: value ?? null }),
    (error: unknown) => {
      const reason = error instanceof ApiError ? error.reason : "bug";
      say({ id, refused: reason, message: String(error) });
    },
  );
}
process.exit(0);
