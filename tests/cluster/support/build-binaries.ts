import { spawnSync } from "node:child_process";
import { buildScript, checkGo, clusterRoot, findMissing } from "./binaries.ts";

const isAskedFor = process.env["npm_lifecycle_event"] === "test:cluster";

/**
 * Global setup of the cluster tests. `npm run test:cluster` compiles Kubernetes the first time, which takes minutes and
 * says so; afterwards it costs a fraction of a second. Without Go or binaries the tests are left out, and that is said too.
 */
export function setup(): void {
  const missing = findMissing("control-plane", "helm");
  const go = checkGo();
  if (!go.ok) {
    if (missing.length > 0) say(leftOut(missing, go.found));
    return;
  }
  // Whoever wants all tests that need nothing must not wait for a Kubernetes to be compiled.
  if (missing.length > 0 && !isAskedFor) {
    say(leftOut(missing, `${go.found}; npm run test:cluster builds them`));
    return;
  }
  if (missing.length > 0) say(`building ${missing.join(", ")} into ${clusterRoot} (minutes, once)`);
  const built = spawnSync(buildScript, ["control-plane", "helm"], {
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (built.status !== 0) throw new Error(`${buildScript} failed`);
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
