import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The peers' own package. */
export const peersDirectory = import.meta.dirname;

/** Installs the peers into their own directory, unless they are there; what npm says goes to stderr. */
export function installPeers(progress: (line: string) => void): void {
  if (isInstalled()) return;
  progress("Installing the peers into bench/peers; the first time takes half a minute or so …");
  // Not `npm ci`: it refuses a lockfile without the optional packages of other platforms, and not every registry has them.
  const npm = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], {
    cwd: peersDirectory,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) throw new Error("npm install failed; it needs the npm registry");
}

/** npm writes a lockfile of its own into node_modules, last of all. */
function isInstalled(): boolean {
  const wanted = readLocked("package-lock.json");
  const installed = readLocked("node_modules/.package-lock.json");
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === "" || entry.optional === true || installed[path]?.version === entry.version,
  );
}

interface LockEntry {
  readonly version?: string;
  readonly optional?: boolean;
}

function readLocked(lockfile: string): Readonly<Record<string, LockEntry>> {
  try {
    const { packages } = JSON.parse(readFileSync(join(peersDirectory, lockfile), "utf8"));
    return packages;
  } catch {
    return {};
  }
}
