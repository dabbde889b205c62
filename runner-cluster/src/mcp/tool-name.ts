import { createHash } from "node:crypto";

/** What Chat Completions takes as a function's name. */
const maxChars = 64;
const digestChars = 8;

/**
 * The name by which the model calls a server's tool: `<server>__<tool>`. One that is too long, or has other characters than
 * a function's name may have, is made one that ends with a digest of the real name: the same always, and no other tool's.
 */
export function toolName(server: string, tool: string): string {
  const whole = `${server}__${tool}`;
  const plain = whole.replaceAll(/[^a-zA-Z0-9_-]/g, "_");
  if (plain === whole && whole.length <= maxChars) return whole;
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, digestChars);
  return `${plain.slice(0, maxChars - digestChars - 1)}_${digest}`;
}
