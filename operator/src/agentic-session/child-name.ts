import { createHash } from "node:crypto";

/**
 * What children of a session begin with. A Job's name becomes a label's value and its pods' host name: 63 characters,
 * no dots. A session's own name may have 253, with dots; such a name is cut and gets a digest of the whole.
 */
export function childPrefix(sessionName: string): string {
  if (isUsable(sessionName)) return sessionName;
  const digest = createHash("sha256").update(sessionName).digest("hex").slice(0, digestLength);
  const head = sessionName.slice(0, headLength).replaceAll(".", "-").replace(/-+$/, "");
  return `${head}-${marker}${digest}`;
}

/** `suffix` has no dash, so that children of two sessions never have one name. */
export function childName(sessionName: string, suffix: string | number): string {
  return `${childPrefix(sessionName)}-${suffix}`;
}

const digestLength = 12;
const marker = "x";
const headLength = 32;
/** Leaves room for the suffix (10), and for what pods of a Job get (6). */
const longest = 46;
const digested = new RegExp(`-${marker}[0-9a-f]{${digestLength}}$`);

/** A name that looks like a cut one is cut as well, or it could be the same as one. */
const isUsable = (name: string): boolean =>
  name.length <= longest && !name.includes(".") && !digested.test(name);
