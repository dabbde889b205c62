/**
 * `npm run image [-- runner|operator …]`: builds the images with whichever of docker, podman or buildah is there.
 * BASE_IMAGE replaces node:24-bookworm-slim, IMAGE_TAG the version, IMAGE_REGISTRY is put in front.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const checkout = fileURLToPath(new URL("..", import.meta.url));
const dockerfiles = new Map([
  ["runner", "runner-cluster/Dockerfile"],
  ["operator", "operator/Dockerfile"],
]);

const succeeds = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** The first that works: a docker client without a daemon does not count. */
function findBuilder(): readonly string[] | undefined {
  if (succeeds("docker", ["info"])) return ["docker", "build"];
  if (succeeds("podman", ["info"])) return ["podman", "build"];
  if (succeeds("buildah", ["--version"])) return ["buildah", "build", "--layers"];
  return undefined;
}

function readVersion(): string {
  const text = readFileSync(join(checkout, "package.json"), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function build(builder: readonly string[], which: string, dockerfile: string): number {
  const tag = process.env["IMAGE_TAG"] || readVersion();
  const image = `${process.env["IMAGE_REGISTRY"] ?? ""}millrace/${which}:${tag}`;
  const base = process.env["BASE_IMAGE"];
  const baseArgs = base ? ["--build-arg", `BASE_IMAGE=${base}`] : [];
  const [command = "", ...verb] = builder;
  console.log(`${command}: ${image}`);
  const args = [...verb, ...baseArgs, "--tag", image, "--file", dockerfile, "."];
  return spawnSync(command, args, { cwd: checkout, stdio: "inherit" }).status ?? 1;
}

function main(asked: readonly string[]): number {
  const builder = findBuilder();
  if (!builder) {
    console.error("none of docker (with a running daemon), podman and buildah is here");
    return 1;
  }
  const there = [...dockerfiles].filter(([, file]) => existsSync(join(checkout, file)));
  const wanted = asked.length > 0 ? asked : there.map(([name]) => name);
  for (const name of wanted) {
    const dockerfile = new Map(there).get(name);
    if (!dockerfile) {
      console.error(`no image ${name}; there are: ${there.map(([known]) => known).join(", ")}`);
      return 2;
    }
    const status = build(builder, name, dockerfile);
    if (status !== 0) return status;
  }
  return 0;
}

process.exitCode = main(process.argv.slice(2));
