import { lstat, realpath } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { isDeniedPath } from "./path-policy.ts";
import { WorkspaceRefusal } from "./workspace.ts";

/** Tool outputs appear to the model under this folder, which does not exist in the project. */
export const toolOutputFolder = ".millrace/tool-output";

export interface PathRoots {
  /** The project's directory, as a real path. */
  readonly root: string;
  readonly output: string;
}

/**
 * Checks a path that a tool was given and answers the real one, without symlinks. "/x" means x in the
 * workspace, since models write both; an absolute path below the root is taken as it is.
 *
 * Trap: between this check and the use of the path a command that still runs could put a symlink in its
 * place. Tools of one attempt run one after another, nothing outlives its command, and what is answered
 * here has no symlink left to follow; who writes opens with O_NOFOLLOW all the same.
 */
export async function resolveInside(
  roots: PathRoots,
  path: string,
  access: "read" | "write",
): Promise<string> {
  const wanted = normalise(roots.root, path);
  if (wanted === toolOutputFolder || wanted.startsWith(`${toolOutputFolder}/`)) {
    return resolveOutput(roots.output, wanted, access);
  }
  refuseDenied(wanted, path);
  const real = await realOf(join(roots.root, wanted), path);
  const inside = relative(roots.root, real);
  if (inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new WorkspaceRefusal("outside_workspace", `${shown(path)} leads out of the workspace`);
  }
  refuseDenied(inside.split(sep).join("/"), path);
  return real;
}

/** Workspace-relative with "/" and without "." and "..". */
function normalise(root: string, path: string): string {
  if (path.includes("\0")) {
    throw new WorkspaceRefusal("invalid_path", "A path cannot contain a NUL character");
  }
  const below = path === root || path.startsWith(root + sep) ? path.slice(root.length) : path;
  const names = below.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) {
    throw new WorkspaceRefusal(
      "outside_workspace",
      `${shown(path)} contains "..": paths start at the workspace's root`,
    );
  }
  if (names.some((name) => Buffer.byteLength(name) > 255)) {
    throw new WorkspaceRefusal("invalid_path", "A name in a path has more than 255 bytes");
  }
  return names.join("/");
}

function refuseDenied(inside: string, path: string): void {
  if (!isDeniedPath(inside)) return;
  throw new WorkspaceRefusal(
    "denied_path",
    `${shown(path)} is not accessible to tools: secrets and .git are kept from them`,
  );
}

/** Follows symlinks as far as the path exists; the rest, which a write will create, is kept as it is. */
async function realOf(absolute: string, path: string): Promise<string> {
  const rest: string[] = [];
  let existing = absolute;
  for (;;) {
    const real = await realpath(existing).catch((error: NodeJS.ErrnoException) => error);
    if (typeof real === "string") return join(real, ...rest);
    if (real.code === "ENOENT" && !(await isSymlink(existing))) {
      const cut = existing.lastIndexOf(sep);
      rest.unshift(existing.slice(cut + 1));
      existing = existing.slice(0, cut) || sep;
      continue;
    }
    // A symlink to nothing, a loop, or a file where a folder is needed.
    throw new WorkspaceRefusal("invalid_path", `${shown(path)} cannot be followed`, {
      cause: real,
    });
  }
}

async function isSymlink(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  return stat?.isSymbolicLink() ?? false;
}

function resolveOutput(output: string, wanted: string, access: "read" | "write"): string {
  const names = wanted.slice(toolOutputFolder.length + 1).split("/");
  if (access === "write") {
    throw new WorkspaceRefusal("denied_path", `${toolOutputFolder} can only be read`);
  }
  return join(output, ...names);
}

/** A model may send a megabyte as a path; an error message need not carry it. */
const shown = (path: string): string => JSON.stringify(path.slice(0, 300));
