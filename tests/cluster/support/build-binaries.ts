import { spawnSync } from "node:child_process";
import { buildScript, checkGo, clusterRoot, findMissing } from "./binaries.ts";

/**
 * Global setup of the cluster tests. The first time it compiles Kubernetes, which takes minutes and
 * says so; afterwards it costs a fraction of a second. Without Go and without binaries the tests
 * are left out, and that is said too.
 */
export function setup(): void {
  const missing = findMissing("control-plane", "helm");
  const go = checkGo();
  if (!go.ok) {
    if (missing.length > 0) say(leftOut(missing, go.found));
    return;
  }
  if (missing.length > 0) say(`building ${missing.join(", ")} into ${clusterRoot} (minutes, once)`);
  const built = spawnSync(buildScript, ["control-plane", "helm"], {
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (built.status === 0) return;
  // Whoever asks for these tests wants to know; for everybody else a machine without the network of Go is no failure.
  if (process.env["npm_lifecycle_event"] === "test:cluster")
    throw new Error(`${buildScript} failed`);
  say(leftOut(findMissing("control-plane", "helm"), `${go.found}, and the build failed`));
}

const leftOut = (missing: readonly string[], go: string): string =>
  [
    "THE TESTS ON A REAL KUBERNETES API ARE LEFT OUT.",
    `They need ${missing.join(", ")} in ${clusterRoot}/bin, and Go >= 1.26 to build them; Go here: ${go}.`,
    "See tests/cluster/README.md.",
  ].join("\n  ");

function say(text: string): void {
  process.stderr.write(`\n  [cluster] ${text}\n\n`);
}
