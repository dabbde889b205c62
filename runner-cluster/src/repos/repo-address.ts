import { isHiddenPath } from "../workspaces/path-policy.ts";

export type AddressCheck =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly problem: string };

const loopback = /^(127(?:\.\d+){3}|localhost|\[::1\])$/;

/**
 * May a repository be fetched from there? Only https: other schemes would need keys on disk, or say everything to
 * everybody on the way. Plain http to this machine itself is for development.
 */
export function checkAddress(given: string, allowLoopback: boolean): AddressCheck {
  if (!URL.canParse(given)) return { ok: false, problem: "its address is no URL" };
  const url = new URL(given);
  if (url.username !== "" || url.password !== "") {
    return { ok: false, problem: "its address holds credentials, which belong into a Secret" };
  }
  if (url.protocol === "https:") return { ok: true, url: url.href };
  const isOwnMachine = url.protocol === "http:" && loopback.test(url.hostname);
  if (isOwnMachine && allowLoopback) return { ok: true, url: url.href };
  const switchedOff = isOwnMachine ? "; REPOS_FROM_LOOPBACK permits this one" : "";
  return { ok: false, problem: `only https is possible${switchedOff}` };
}

/** The address as it may be shown: without what people hide in one. */
export function shownAddress(given: string): string {
  if (!URL.canParse(given)) return given.replace(/^[^\s/]*@/, "");
  const url = new URL(given);
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return url.href;
}

/** A directory for each repository: its last name, made unique and visible. The same list gives the same names. */
export function nameDirectories(urls: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return urls.map((url) => {
    const name = directoryName(url);
    let path = name;
    // Some disks take names that differ in case for the same.
    for (let n = 2; taken.has(path.toLowerCase()); n += 1) path = `${name}-${n}`;
    taken.add(path.toLowerCase());
    return path;
  });
}

function directoryName(url: string): string {
  const last = shownAddress(url)
    .replace(/\/+$/, "")
    .replace(/^.*[/:]/, "");
  const plain = last
    .replace(/\.git$/i, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 100);
  if (plain === "") return "repo";
  return isHiddenPath(plain) ? `repo-${plain}` : plain;
}
