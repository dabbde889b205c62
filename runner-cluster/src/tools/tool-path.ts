import { isAbsolute, relative } from "node:path";
import type { Workspace } from "../workspaces/workspace.ts";

/**
 * A path as models write it (`./src`, `.`, or the absolute path that a command printed), made relative
 * to the workspace. Whether it may be used is not decided here: `Workspace.resolve` does that.
 */
export function toolPath(workspace: Workspace, given: string): string {
  const inside = isAbsolute(given) ? relative(workspace.root, given) : given;
  if (isAbsolute(given) && (inside === ".." || inside.startsWith("../"))) return given;
  const path = inside
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");
  return path;
}

/** A path for people and models, where the root has a name. */
export const shownPath = (path: string): string => (path === "" ? "." : path);
