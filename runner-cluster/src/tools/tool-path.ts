import type { Workspace } from "../workspaces/workspace.ts";

/**
 * A path as models write it (`./src`, `/src`, or the absolute path that a command printed), made
 * relative to the workspace. Whether it may be used is not decided here: `Workspace.resolve` does that.
 */
export function toolPath(workspace: Workspace, given: string): string {
  const { root } = workspace;
  const isInside = given === root || given.startsWith(`${root}/`);
  const below = isInside ? given.slice(root.length) : given;
  return below
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");
}

/** A path for people and models, where the root has a name. */
export const shownPath = (path: string): string => (path === "" ? "." : path);
