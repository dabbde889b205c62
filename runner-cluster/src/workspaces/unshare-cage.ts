import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cagedHome } from "./cage.ts";
import type { Cage } from "./cage.ts";
import type { ProjectLayout } from "./project-layout.ts";
import {
  deviceLinks,
  deviceNames,
  inCage,
  isWithin,
  lockedMountOptions,
  observeSystem,
} from "./system-view.ts";
import type { SystemView } from "./system-view.ts";

/**
 * Runs as process 1 of the new pid namespace, where it collects orphans. All mounts are one `mount -a`, because
 * every program that is started here is waited for by every command. The command gets no capability, not even in
 * its own namespace: with one it could make the system's folders writable again, and a runner that is root owns them.
 */
const enter = `
mount -a -T "$1" && cd "$2" && pivot_root . . && umount -l . && cd "$3" || exit 125
shift 3
setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
exit $?
`;

const intoNamespaces: readonly string[] = [
  "unshare",
  "--user",
  "--map-root-user",
  "--mount",
  "--pid",
  "--ipc",
  "--uts",
  "--fork",
  "--kill-child=KILL",
  "--",
  "/bin/bash",
  "-c",
  enter,
  "cage",
];

/** The same view as bubblewrap's, by what util-linux has: for machines without bubblewrap. */
export async function makeUnshareCage(
  layout: ProjectLayout,
  visible: readonly string[],
): Promise<Cage> {
  const root = join(layout.cage, "root");
  const view = observeSystem(layout.workspaceRoot, visible);
  await makeMountPoints(root, view, layout);
  const table = join(layout.cage, "fstab");
  await writeFile(table, mountTable(root, view, layout));
  return {
    home: cagedHome,
    tmp: "/tmp",
    // Root in its namespace, tar would try to give files to users that do not exist there.
    variables: { TAR_OPTIONS: "--no-same-owner" },
    wrap: (command, cwd) => [...intoNamespaces, table, root, cwd, "/bin/bash", "-c", command],
  };
}

async function makeMountPoints(
  root: string,
  view: SystemView,
  layout: ProjectLayout,
): Promise<void> {
  // What another version of this code left there could be shown by accident.
  await rm(root, { recursive: true, force: true });
  const folders = ["/proc", "/tmp", "/dev/shm", "/var", cagedHome];
  const binds = view.binds.filter(({ target }) => !isWithin(target, "/tmp"));
  for (const bind of binds) folders.push(bind.file ? dirname(bind.target) : bind.target);
  for (const folder of folders) await mkdir(inCage(root, folder), { recursive: true });
  const files = [
    ...binds.filter((bind) => bind.file).map((bind) => bind.target),
    ...deviceNames.map((name) => `/dev/${name}`),
  ];
  await Promise.all(files.map((file) => writeFile(inCage(root, file), "")));
  const links = [
    ...view.links,
    ...deviceLinks.map(({ target, name }) => ({ target, path: `/dev/${name}` })),
    { target: "/tmp", path: "/var/tmp" },
  ];
  await Promise.all(links.map(({ target, path }) => symlink(target, inCage(root, path))));
  // Below /tmp the mount point lies in the project's own /tmp, which is mounted first.
  for (const target of [layout.root, ...view.binds.map((bind) => bind.target)]) {
    const below = isWithin(target, "/tmp");
    const place = below ? join(layout.tmp, target.slice("/tmp".length)) : inCage(root, target);
    if (target === layout.root || below) await mkdir(place, { recursive: true });
  }
}

function mountTable(root: string, view: SystemView, layout: ProjectLayout): string {
  const at = (path: string): string => inCage(root, path);
  const rows = [
    [root, root, "none", readOnly(root).replace("rbind", "bind")],
    ["proc", at("/proc"), "proc", "nosuid,nodev,noexec"],
    [layout.tmp, at("/tmp"), "none", "bind"],
    ["tmpfs", at("/dev/shm"), "tmpfs", "nosuid,nodev"],
    ...deviceNames.map((name) => [`/dev/${name}`, at(`/dev/${name}`), "none", "bind"]),
    ...view.binds.map(({ source, target }) => [source, at(target), "none", readOnly(source)]),
    [layout.home, at(cagedHome), "none", "bind"],
    [layout.root, at(layout.root), "none", "bind"],
  ];
  return rows.map((row) => `${row.map(escapeField).join(" ")} 0 0\n`).join("");
}

const readOnly = (path: string): string =>
  ["rbind", "ro", "nosuid", "nodev", ...lockedMountOptions(path)].join(",");

const escapeField = (text: string): string =>
  text.replaceAll("\\", "\\134").replaceAll(" ", "\\040").replaceAll("\t", "\\011");
