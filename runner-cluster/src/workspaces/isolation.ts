import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeBubblewrapCage } from "./bubblewrap-cage.ts";
import type { CageKind } from "./cage.ts";
import { makeCommandEnvironment } from "./command-environment.ts";
import type { HostSettings } from "./host-config.ts";
import { layoutOf, sharedFolder } from "./project-layout.ts";
import { makeUnshareCage } from "./unshare-cage.ts";

/** No isolation: the command sees what the runner's user sees, but for the environment. */
const openCage: CageKind = {
  name: "none",
  isolates: false,
  make: async (layout) => ({
    home: layout.home,
    tmp: layout.tmp,
    variables: {},
    wrap: (command) => ["/bin/bash", "-c", command],
  }),
};

/** Best first. */
const candidates: readonly CageKind[] = [
  { name: "bubblewrap", isolates: true, make: makeBubblewrapCage },
  { name: "user namespaces", isolates: true, make: makeUnshareCage },
];

/** Thrown at start when commands must be isolated and this machine cannot. */
class IsolationUnavailable extends Error {
  override readonly name = "IsolationUnavailable";
}

/**
 * Finds out what this machine can do by doing it: a cage counts only if a command in it saw its own
 * project, could write there, and saw nothing else of ours.
 */
export async function chooseCage(config: HostSettings): Promise<CageKind> {
  if (config.isolation === "off") {
    config.log.warn("commands are not isolated: switched off");
    return openCage;
  }
  const reasons: string[] = [];
  for (const candidate of candidates) {
    try {
      await probe(candidate, config);
      config.log.info("commands are isolated", { by: candidate.name });
      return candidate;
    } catch (error) {
      reasons.push(`${candidate.name}: ${reasonOf(error)}`);
    }
  }
  if (config.isolation === "require") {
    throw new IsolationUnavailable(`commands cannot be isolated here (${reasons.join("; ")})`);
  }
  config.log.warn("commands are not isolated: they see what the runner's user sees", { reasons });
  return openCage;
}

const probeScript = `
set -e
echo written > probe && [ "$(cat probe)" = written ]
[ ! -e "$1" ]
[ "$(ls -A ..)" = p ]
[ $$ -lt 100 ]
! touch /usr/millrace-probe 2>/dev/null
[ -w /tmp ] && [ -w "$HOME" ] && : < /dev/null
node --version
`;

async function probe(kind: CageKind, config: HostSettings): Promise<void> {
  const folder = join(sharedFolder(config.workspaceRoot, "cage"), `.probe-${process.pid}`);
  const paths = layoutOf(config.workspaceRoot, "probe");
  const own = (name: string): string => join(folder, name);
  const layout = {
    ...paths,
    root: own("p"),
    home: own("home"),
    tmp: own("tmp"),
    cage: own("cage"),
  };
  try {
    const folders = [layout.root, layout.home, layout.tmp];
    await Promise.all(folders.map((path) => mkdir(path, { recursive: true })));
    const cage = await kind.make(layout, config.visiblePaths ?? []);
    const outside = sharedFolder(config.workspaceRoot, "locks");
    const [program = "", ...args] = cage.wrap(
      `set -- ${quote(outside)}\n${probeScript}`,
      layout.root,
    );
    const surroundings = { ...cage, marker: "probe", runnerPath: undefined, given: {} };
    const env = makeCommandEnvironment({ ...surroundings, gitIdentity: config.gitIdentity });
    await promisify(execFile)(program, args, {
      cwd: layout.root,
      env: { ...env, ...cage.variables },
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function reasonOf(error: unknown): string {
  const { code, stderr, message } = error as {
    readonly code?: unknown;
    readonly stderr?: string;
    readonly message?: string;
  };
  if (code === "ENOENT") return "not installed";
  return (stderr?.trim() || message || "failed").slice(0, 300);
}
