import { cagedHome } from "./cage.ts";
import type { Cage } from "./cage.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { observeSystem } from "./system-view.ts";

/**
 * No --new-session: it would take the command out of the process group by which it is stopped. There is
 * no terminal whose input it could fake.
 */
export async function makeBubblewrapCage(
  layout: ProjectLayout,
  visible: readonly string[],
): Promise<Cage> {
  const view = observeSystem(layout.workspaceRoot, visible);
  const fixed = [
    "--unshare-user --unshare-pid --unshare-ipc --unshare-uts --die-with-parent".split(" "),
    "--cap-drop ALL --proc /proc --dev /dev --symlink /tmp /var/tmp".split(" "),
    ["--bind", layout.tmp, "/tmp"],
    ...view.links.map(({ target, path }) => ["--symlink", target, path]),
    ...view.binds.map(({ source, target }) => ["--ro-bind", source, target]),
    ["--bind", layout.home, cagedHome],
    ["--bind", layout.root, layout.root],
    // The empty root that all this hangs in is writable until now.
    ["--remount-ro", "/"],
  ].flat();
  return {
    home: cagedHome,
    tmp: "/tmp",
    variables: {},
    wrap: (command, cwd) => ["bwrap", ...fixed, "--chdir", cwd, "--", "/bin/bash", "-c", command],
  };
}
