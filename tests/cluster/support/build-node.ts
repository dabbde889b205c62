import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
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
  mkdirSync(join(clusterRoot, "archives"), { recursive: true });
  const baseArchive = archiveOf("base");
  if (!existsSync(baseArchive)) {
    run(join(import.meta.dirname, "../node/images/base.sh"), [baseArchive]);
  }
  for (const [image, room] of Object.entries({ runner: "runner-cluster", operator: "operator" })) {
    const key = keyOf(room);
    const keyFile = `${archiveOf(image)}.key`;
    if (existsSync(keyFile) && readFileSync(keyFile, "utf8") === key) continue;
    rmSync(keyFile, { force: true });
    buildImage(image, baseArchive);
    writeFileSync(keyFile, key);
  }
}

function buildImage(which: string, baseArchive: string): void {
  run("buildah", ["pull", "--quiet", `oci-archive:${baseArchive}`]);
  run(process.execPath, [join(checkout, "scripts/image.ts"), which], {
    BASE_IMAGE: base,
    IMAGE_REGISTRY: "localhost/",
    IMAGE_TAG: "test",
  });
  const image = `localhost/millrace/${which}:test`;
  const part = `${archiveOf(which)}.part`;
  run("buildah", [
    "push",
    "--quiet",
    "--disable-compression",
    image,
    `oci-archive:${part}:${image}`,
  ]);
  renameSync(part, archiveOf(which));
}

/** The same for the same image: of everything that its Dockerfile copies, and of the base. */
function keyOf(room: string): string {
  const hash = createHash("sha256").update(String(statSync(archiveOf("base")).mtimeMs));
  const workspaces = readdirSync(checkout).map((name) => join(name, "package.json"));
  const lists = ["package.json", "package-lock.json", join(room, "Dockerfile"), ...workspaces];
  const sources = ["contracts/src", "telemetry/src", join(room, "src")].flatMap((directory) =>
    readdirSync(join(checkout, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(checkout, join(parentPath, name)))
      // As .dockerignore has it.
      .filter((file) => !/\.test\.ts$|\/testing\//.test(file)),
  );
  for (const file of [...lists, ...sources.toSorted()]) {
    if (existsSync(join(checkout, file)))
      hash.update(file).update(readFileSync(join(checkout, file)));
  }
  return hash.digest("hex");
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
