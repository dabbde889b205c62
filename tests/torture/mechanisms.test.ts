import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { buildPaths } from "../support/build-paths.ts";
import { buildFaultyWorker } from "./build-faulty-worker.ts";
import { mechanisms, removeMechanism } from "./mechanisms.ts";

let worker = "";

beforeAll(async () => {
  const directory = await buildFaultyWorker(undefined);
  worker = await readFile(join(buildPaths(directory).bundle, "worker.js"), "utf8");
});

it.each(Object.keys(mechanisms))("finds %s in the bundle, and takes it out", (name) => {
  expect(removeMechanism(worker, name)).not.toBe(worker);
});

it("refuses a name that it does not know", () => {
  expect(() => removeMechanism(worker, "none")).toThrow("no mechanism none");
});
