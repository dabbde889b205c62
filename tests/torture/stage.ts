import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addOrg } from "../support/add-org.ts";
import type { Api } from "../support/api.ts";
import { Api as ApiClient } from "../support/api.ts";
import { releaseAtEnd } from "../support/cleanup.ts";
import { startModelServer, type ModelServer } from "../support/model-server/model-server.ts";
import { startPlatform, type Platform } from "../support/platform.ts";
import { startRunner, type Runner } from "../support/runner-process.ts";
import { makeTempDir } from "../support/temp.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { buildFaultyWorker } from "./build-faulty-worker.ts";
import type { FaultRates } from "./bundle/binding-faults.ts";
import type { Random } from "./random.ts";

const leaseMs = 4_000;
/** About what the platform and the runners need. */
const startMs = 10_000;
const percents = { d1: 3, r2: 6, lost: 35, doubled: 20, late: 20 };

/** A runner's place: its disk and its clock stay when it is killed and another takes it. */
export interface RunnerPlace {
  readonly start: () => Promise<Runner>;
  runner: Runner;
}

/** Everything that torture plays with: real processes, with networks between them that can fail. */
export interface Stage {
  readonly platform: Platform;
  readonly model: ModelServer;
  /** Clients reach the edge through it. */
  readonly outside: TcpProxy;
  /** Runners reach the edge through it. */
  readonly inside: TcpProxy;
  readonly api: Api;
  readonly stranger: Api;
  readonly places: readonly [RunnerPlace, RunnerPlace];
  /** Unix ms; from then on the edge's bindings work. */
  readonly faultsUntil: number;
}

export interface StageSettings {
  readonly random: Random;
  /** How long the storm goes on once the stage is set. */
  readonly seconds: number;
  readonly removed: string | undefined;
}

export async function setStage({ random, seconds, removed }: StageSettings): Promise<Stage> {
  const build = await buildFaultyWorker(removed);
  const faultsUntil = Date.now() + startMs + seconds * 1_000;
  const rates: FaultRates = { until: faultsUntil, ...percents };
  const platform = await startPlatform({
    build,
    vars: {
      LEASE_MS: String(leaseMs),
      MAX_ATTEMPTS: "6",
      LONG_POLL_MS: "2000",
      // Runs that are over leave their objects while others still run, and readers still read.
      ARCHIVE_AFTER_MS: "3000",
      LIMIT_REQUESTS_PER_SECOND: "5000",
      TORTURE_FAULTS: JSON.stringify(rates),
    },
  });
  const stranger = await addOrg(platform, "stranger");
  const model = await startModelServer();
  releaseAtEnd(() => model.stop());
  const [outside, inside] = [
    await TcpProxy.start(platform.url),
    await TcpProxy.start(platform.url),
  ];
  const base = { edgeUrl: inside.url, poolToken: platform.poolToken };
  const env = {
    OPENAI_API_KEY: "sk-test-of-nobody",
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: "gpt-5",
  };
  const skewMs = random.between(-600_000, 600_000);
  const places = [
    await openPlace({ ...base, env }),
    await openPlace({ ...base, env: { ...env, NODE_OPTIONS: await skewedClock(skewMs) } }),
  ] as const;
  const api = new ApiClient(outside.url, platform.apiKey);
  return { platform, model, outside, inside, api, stranger, places, faultsUntil };
}

async function openPlace(options: Parameters<typeof startRunner>[0]): Promise<RunnerPlace> {
  const runner = await startRunner(options);
  const { stateDir, workspaceRoot } = runner;
  return { runner, start: () => startRunner({ ...options, stateDir, workspaceRoot }) };
}

/** Options for Node under which its clock is wrong by so much, always. */
async function skewedClock(skewMs: number): Promise<string> {
  const directory = await makeTempDir("clock");
  const file = join(directory, "clock.mjs");
  await writeFile(file, clockSource.replaceAll("SKEW", String(skewMs)));
  return `--import=${file}`;
}

const clockSource = `const now = Date.now;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now() + (SKEW)] : given));
  }
  static now() {
    return now() + (SKEW);
  }
};
`;
