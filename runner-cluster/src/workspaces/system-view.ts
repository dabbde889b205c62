import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, sep } from "node:path";

/** What an isolated command sees of the machine, read-only, besides its project. */
export interface SystemView {
  readonly binds: readonly {
    readonly source: string;
    readonly target: string;
    readonly file: boolean;
  }[];
  /** Root-level links such as /bin -> usr/bin. */
  readonly links: readonly { readonly target: string; readonly path: string }[];
}

const rootFolders = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu"];

/** Never all of /etc: there are keys and password hashes in it. */
const etcEntries = [
  "alternatives",
  "ca-certificates",
  "fonts",
  "group",
  "host.conf",
  "hosts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "nsswitch.conf",
  "os-release",
  "passwd",
  "pki/ca-trust",
  "pki/tls/certs",
  "protocols",
  "resolv.conf",
  "services",
  "ssl/cert.pem",
  "ssl/certs",
  "ssl/openssl.cnf",
  "timezone",
];

/**
 * Says what to show. A folder that contains the workspaces is left out, since it would show every
 * project; a machine whose /usr contains them cannot isolate, which the probe finds out.
 */
export function observeSystem(workspaceRoot: string, visible: readonly string[]): SystemView {
  const roots = rootFolders.map((name) => `/${name}`).filter((path) => existsSync(path));
  const links = roots.filter((path) => lstatSync(path).isSymbolicLink());
  const etc = etcEntries.map((name) => `/etc/${name}`).filter((path) => existsSync(path));
  const folders = roots.filter((path) => !links.includes(path));
  const extra = [...nodePaths(workspaceRoot), ...visible.filter((path) => existsSync(path))].filter(
    (path) => !folders.some((folder) => isWithin(path, folder)),
  );
  return {
    links: links.map((path) => ({ target: readlinkSync(path), path })),
    binds: [...folders, ...etc, ...extra]
      .filter((path) => !isWithin(workspaceRoot, path))
      .map((path) => {
        const source = realpathSync(path);
        return { source, target: path, file: !lstatSync(source).isDirectory() };
      }),
  };
}

/** Node's installation, so that `node` (and npm, where it comes along) work; only the program when the folder above it is somebody's home. */
function nodePaths(workspaceRoot: string): readonly string[] {
  const program = process.execPath;
  const prefix = dirname(dirname(program));
  const tooMuch = [homedir(), workspaceRoot, process.cwd()].some((path) => isWithin(path, prefix));
  return [tooMuch || prefix === "/" ? program : prefix];
}

export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/**
 * Options that a read-only remount of this path must repeat: in a user namespace the ones that the
 * machine has set are locked, and leaving one out is refused.
 */
export function lockedMountOptions(path: string): readonly string[] {
  let best = { target: "", options: "" };
  for (const row of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [, , , , target = "", options = ""] = row.split(" ");
    const plain = target.replaceAll("\\040", " ");
    // The later of two mounts on one place lies on top.
    if (plain.length >= best.target.length && plain !== "" && isWithin(path, plain)) {
      best = { target: plain, options };
    }
  }
  const kept = new Set(["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"]);
  return best.options.split(",").filter((option) => kept.has(option));
}

/** The devices that programs expect, and nothing that reaches hardware. */
export const deviceNames: readonly string[] = ["null", "zero", "full", "random", "urandom", "tty"];

export const deviceLinks: readonly { readonly target: string; readonly name: string }[] = [
  { target: "/proc/self/fd", name: "fd" },
  { target: "/proc/self/fd/0", name: "stdin" },
  { target: "/proc/self/fd/1", name: "stdout" },
  { target: "/proc/self/fd/2", name: "stderr" },
];

export const inCage = (cageRoot: string, path: string): string => join(cageRoot, path);
