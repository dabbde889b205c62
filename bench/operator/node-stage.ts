import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CustomObjectsApi } from "@kubernetes/client-node";
import { type AgenticSession, crdGroup } from "@millrace/contracts";
import { setup } from "../../tests/cluster/support/build-node.ts";
import { installChart, sessions as namespace } from "../../tests/cluster/support/install-chart.ts";
import { type RealNode, startRealNode } from "../../tests/cluster/support/real-node.ts";
import { startModelServer } from "../../tests/support/model-server/model-server.ts";
import { promptFor } from "../../tests/support/model-server/scenario.ts";
import { waitUntil } from "../../tests/support/wait-until.ts";
import { readFrames } from "../clients/sse-reader.ts";
import { startPlatform } from "../sides/start-ours.ts";
import type { Platform } from "../sides/platform.ts";
import { watchCollection } from "../../tests/cluster/support/watch-collection.ts";

const kind = { group: crdGroup, version: "v1alpha1", plural: "agenticsessions", namespace };
const longMs = 300_000;
/** The model takes its time, so that a session's pod is still there when its log is read. */
const prompt = promptFor({ build: [{ text: "Done.", delayMs: 2000 }] }, "bench");

/** When what happened to a session was seen, in Unix ms of this machine, which the edge and the pods share. */
export interface Start {
  readonly name: string;
  readonly createdAt: number;
  jobAt?: number;
  podAt?: number;
  boundAt?: number;
  session?: AgenticSession;
}

/** An edge and a model on this machine, and the chart on a node that really runs pods. */
export class NodeStage {
  readonly node: RealNode;
  readonly platform: Platform;
  readonly #objects: CustomObjectsApi;
  readonly #starts = new Map<string, Start>();
  readonly #ends: (() => unknown)[];

  private constructor(node: RealNode, platform: Platform, ends: (() => unknown)[]) {
    this.node = node;
    this.platform = platform;
    this.#objects = node.admin().makeApiClient(CustomObjectsApi);
    this.#ends = ends;
  }

  static async start(): Promise<NodeStage> {
    setup();
    const ends: (() => unknown)[] = [];
    try {
      const directory = await mkdtemp(join(tmpdir(), "millrace-bench-"));
      ends.push(() => rm(directory, { recursive: true, force: true }));
      const { platform, dispose } = await startPlatform(directory);
      ends.push(dispose);
      const model = await startModelServer();
      ends.push(() => model.stop());
      const node = await startRealNode();
      ends.push(() => node.stop());
      const { url, poolToken } = platform;
      const places = { edgeUrl: url.href, modelUrl: model.url, poolToken };
      await installChart(node, places, {
        "runners.enabled": false,
        "warmPool.size": 1,
        "warmPool.namespace": namespace,
      });
      const stage = new NodeStage(node, platform, ends);
      await stage.#watch();
      return stage;
    } catch (error) {
      await endAll(ends);
      throw error;
    }
  }

  async #watch(): Promise<void> {
    const config = this.node.admin();
    const of = (name: unknown): Start | undefined => this.#starts.get(String(name));
    const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    this.#ends.push(
      await watchCollection(config, jobs, ({ metadata }) => {
        const start = of(metadata.name.replace(/-\d+$/, ""));
        if (start) start.jobAt ??= Date.now();
      }),
      await watchCollection(config, `/api/v1/namespaces/${namespace}/pods`, (pod) => {
        const start = of(pod.metadata.annotations?.[`${crdGroup}/session-name`]);
        if (!start) return;
        start.podAt ??= Date.now();
        if (pod.spec?.["nodeName"] !== undefined) start.boundAt ??= Date.now();
      }),
      await watchCollection(
        config,
        `/apis/${crdGroup}/v1alpha1/namespaces/${namespace}/agenticsessions`,
        (object) => {
          const start = of(object.metadata.name);
          if (start) start.session = object as unknown as AgenticSession;
        },
      ),
    );
  }

  async create(name: string, spec: Record<string, unknown> = {}): Promise<Start> {
    const start: Start = { name, createdAt: Date.now() };
    this.#starts.set(name, start);
    await this.#objects.createNamespacedCustomObject({
      ...kind,
      body: {
        apiVersion: `${crdGroup}/v1alpha1`,
        kind: "AgenticSession",
        metadata: { name },
        spec: { prompt, ...spec },
      },
    });
    return start;
  }

  /** Until a runner waits in the pool; before that a session would have a pod of its own. */
  async untilOneWaits(): Promise<void> {
    await waitUntil(
      "a runner waits",
      async () => {
        const { data } = (await this.#read("/v1/pools")) as Pools;
        return data.some(({ runners }) => runners.free === 1);
      },
      longMs,
    );
  }

  /** The session's run as the edge streams it, until the frame of that name. */
  async framesUntil(start: Start, last: string): Promise<readonly Frame[]> {
    const path = () => start.session?.status?.url;
    await waitUntil(`${start.name} has a run`, () => path() !== undefined, longMs);
    const frames: Frame[] = [];
    const headers = { "x-agent-api-key": this.platform.apiKey };
    const url = new URL(`${path()}/stream`, this.platform.url);
    await readFrames({ url, headers }, (_id, text) => {
      const frame = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? "") as Frame;
      frames.push(frame);
      if (frame.event === "error") throw new Error(`${start.name} failed: ${text}`);
      return nameOf(frame) === last;
    });
    return frames;
  }

  async log(start: Start): Promise<string> {
    const selector = ["-l", `${crdGroup}/session=${start.name}`];
    return (await this.node.kubectl("-n", namespace, "logs", ...selector)).stdout;
  }

  /** Until it is over and nothing of it runs. */
  async untilOver({ name }: Start): Promise<void> {
    const of = ["-n", namespace, "get", "pods,jobs", "-l", `${crdGroup}/session=${name}`];
    await waitUntil(
      `nothing of ${name} is left`,
      async () =>
        this.#starts.get(name)?.session?.status?.phase === "Completed" &&
        (await this.node.kubectl(...of, "-o", "name")).stdout === "",
      longMs,
    );
  }

  async #read(path: string): Promise<unknown> {
    const headers = { "x-agent-api-key": this.platform.apiKey };
    const response = await fetch(new URL(path, this.platform.url), { headers });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
  }

  dispose(): Promise<void> {
    return endAll(this.#ends);
  }
}

interface Pools {
  readonly data: readonly { readonly runners: { readonly free: number } }[];
}

/** What is read of a frame of `/v1`. */
export interface Frame {
  readonly event: string;
  readonly ts: string;
  readonly data: { readonly status?: string };
}

/** The status of a status frame, else its event. */
export const nameOf = ({ event, data }: Frame): string =>
  event === "status" ? (data.status ?? "") : event;

async function endAll(ends: (() => unknown)[]): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end();
}
