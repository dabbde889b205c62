import { readFileSync } from "node:fs";
import { secretFiles } from "../secrets/secret-files.ts";

export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** Keys of a Secret that hold lines as git's own store has them: `https://user:password@host`. */
const storeKeys: ReadonlySet<string> = new Set([".git-credentials", "git-credentials"]);

/** Keys that hold a token for one well-known host. */
const tokenKeys: Readonly<Record<string, { readonly host: string; readonly username: string }>> = {
  GITHUB_TOKEN: { host: "github.com", username: "x-access-token" },
  GH_TOKEN: { host: "github.com", username: "x-access-token" },
  GITLAB_TOKEN: { host: "gitlab.com", username: "oauth2" },
};

/**
 * What the Secrets in `folder` (a directory each, with a file per key) have for a host; undefined: nothing. `host` has
 * the port when the URL names one. A credential goes to the very host that it names, so also not where that redirects.
 */
export function readCredential(
  folder: string,
  { protocol, host }: { readonly protocol: string; readonly host: string },
): Credential | undefined {
  for (const { key, file } of secretFiles(folder)) {
    const text = (): string => readFileSync(file, "utf8");
    const found = storeKeys.has(key) ? inStore(text(), protocol, host) : tokenFor(key, host, text);
    if (found) return found;
  }
  return undefined;
}

function tokenFor(key: string, host: string, text: () => string): Credential | undefined {
  const known = tokenKeys[key];
  if (known?.host !== host) return undefined;
  return { username: known.username, password: text().trim() };
}

function inStore(text: string, protocol: string, host: string): Credential | undefined {
  for (const line of text.split("\n")) {
    const url = URL.canParse(line.trim()) ? new URL(line.trim()) : undefined;
    if (!url || url.protocol !== `${protocol}:` || url.host !== host) continue;
    return {
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
  }
  return undefined;
}
