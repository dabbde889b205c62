/**
 * Which names in a workspace nobody but its own commands may see. One list serves the tools, the
 * snapshots, the commits and the zip, so that they cannot disagree. Names are compared without case:
 * on some disks `.ENV` is `.env`.
 */

const secretFiles: ReadonlySet<string> = new Set([
  ".npmrc",
  ".pypirc",
  ".netrc",
  ".git-credentials",
  "id_rsa",
  "id_ed25519",
  "id_ecdsa",
  "id_rsa.pub",
  "id_ed25519.pub",
  "id_ecdsa.pub",
]);

const secretFolders: ReadonlySet<string> = new Set([".aws", ".ssh", ".gnupg", ".kube"]);

const secretEndings: readonly string[] = [".pem", ".key", ".p12", ".pfx"];

/**
 * What a package manager or a build brings back by itself. `dist`, `build` and `vendor` are not among them: in many
 * projects they are sources or the very thing that a user wants to download.
 */
const dependencyFolders: ReadonlySet<string> = new Set([
  "node_modules",
  "bower_components",
  ".venv",
  "__pycache__",
  ".tox",
  ".mypy_cache",
  ".pytest_cache",
  ".ruff_cache",
  ".next",
  ".nuxt",
  ".svelte-kit",
  ".turbo",
  ".cache",
  ".parcel-cache",
  ".gradle",
  ".pnpm-store",
  "coverage",
]);

/** A file or folder that holds credentials; `.env.example` holds names only. */
function isSecretName(name: string): boolean {
  const lower = name.toLowerCase();
  if (lower === ".env.example") return false;
  if (lower.startsWith(".env")) return true;
  if (secretFiles.has(lower) || secretFolders.has(lower)) return true;
  return secretEndings.some((ending) => lower.endsWith(ending));
}

const isGitName = (name: string): boolean => name.toLowerCase() === ".git";

/** Refused to every tool: inside `.git`, or a secret. */
export const isDeniedPath = (path: string): boolean =>
  path.split("/").some((name) => isGitName(name) || isSecretName(name));

/** Left out of listings, snapshots, commits and archives. Dependencies may still be read by name. */
export const isHiddenPath = (path: string): boolean =>
  path.split("/").some((name) => hidesName(name));

const hidesName = (name: string): boolean =>
  isGitName(name) || isSecretName(name) || dependencyFolders.has(name.toLowerCase());

/**
 * The same list as patterns for `info/exclude`, so that git does not even read what it must not keep. A
 * project's `.gitignore` can overrule them, which is why snapshots check their index afterwards.
 */
export function gitExcludePatterns(): string {
  const lines = [
    ".env*",
    "!.env.example",
    ...secretFiles,
    ...[...secretFolders].map((name) => `${name}/`),
    ...secretEndings.map((ending) => `*${ending}`),
    ...[...dependencyFolders].map((name) => `${name}/`),
  ];
  return `${lines.join("\n")}\n`;
}
