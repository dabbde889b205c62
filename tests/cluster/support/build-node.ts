import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../support/build-paths.ts";
import { buildScript, clusterRoot } from "./binaries.ts";
import { archiveOf } from "./real-node.ts";

const base = "localhost/node:24-bookworm-slim";
const wanted = [
  "go",
  "gcc",
  "jq",
  "openssl",
  "nft",
  "buildah",
  "debootstrap",
  "unshare",
  "nsenter",
];

/**
 * Global setup of the tests on a real node: its programs, and the images as `npm run image` makes them.
 * Whoever asked for these tests is told what is missing; nothing is skipped.
 */
export function setup(): void {
  const missing = wanted.filter((name) => spawnSync("which", [name]).status !== 0);
  if (process.getuid?.() !== 0) missing.unshift("root");
  if (missing.length > 0) throw new Error(`a real node needs ${missing.join(", ")}`);
  run(buildScript, ["control-plane", "helm", "node"]);
  const baseArchive = archiveOf("base");
  mkdirSync(join(clusterRoot, "archives"), { recursive: true });
  if (!existsSync(baseArchive)) {
    run(join(import.meta.dirname, "../node/images/base.sh"), [baseArchive]);
  }
  run("buildah", ["pull", "--quiet", `oci-archive:${baseArchive}`]);
  run(process.execPath, [join(checkout, "scripts/image.ts")], {
    BASE_IMAGE: base,
    IMAGE_REGISTRY: "localhost/",
    IMAGE_TAG: "test",
  });
  for (const which of ["runner", "operator"]) {
    const image = `localhost/millrace/${which}:test`;
    run("buildah", ["push", "--quiet", image, `oci-archive:${archiveOf(which)}:${image}`]);
  }
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const { status } = spawnSync(command, args, {
    cwd: checkout,
    stdio: ["ignore", process.stderr, process.stderr],
    // Without a container runtime around: no overlay mounts, no user namespaces.
    env: {
      ...process.env,
      NODE_BINARY: process.execPath,
      STORAGE_DRIVER: "vfs",
      BUILDAH_ISOLATION: "chroot",
      ...env,
    },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}
