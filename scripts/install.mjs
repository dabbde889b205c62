// Plain JavaScript for Node 20: this runs before Node 24 is there. `npm ci` puts it into node_modules/.bin,
// which is first on the path of every npm script that follows.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(join(checkout, lockfile), "utf8")).packages;
  } catch {
    return {};
  }
}

/**
 * npm writes a lockfile of its own into node_modules, last of all. What is optional may be missing
 * there (it is for other platforms), everything else must stand in it with our version.
 */
function isInstalled() {
  const installed = packagesIn("node_modules/.package-lock.json");
  return Object.entries(packagesIn("package-lock.json")).every(
    ([path, wanted]) =>
      !path.includes("node_modules/") ||
      wanted.optional ||
      (installed[path] !== undefined && installed[path].version === wanted.version),
  );
}

if (!isInstalled()) {
  const startedAt = Date.now();
  console.log("Installing dependencies (npm ci); the first time takes a minute or so …");
  // At its usual level npm warns that packages want a newer Node than this one; that one is being installed.
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: checkout,
    stdio: "inherit",
  });
  if (npm.status !== 0) {
    console.error("npm ci failed; see its output above. Installing needs the npm registry.");
    process.exit(npm.status ?? 1);
  }
  console.log(`Installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s.`);
}
