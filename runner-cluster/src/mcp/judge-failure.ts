import { cutTail } from "../tools/tool-bounds.ts";

const maxChars = 500;

/** The HTTP status that a client's error is about. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("status" in error)) return undefined;
  return typeof error.status === "number" ? error.status : undefined;
}

/** The server has understood and refuses: nothing has happened, and the same again would meet the same. */
export function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status < 500 && status !== 408 && status !== 429;
  // An error of JSON-RPC has a number; what fails on the way there has a word.
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** Why it failed, for a person: the innermost cause says most, as ECONNREFUSED does under "fetch failed". */
export function failureText(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  const text = inner instanceof Error ? inner.message || codeOf(inner) : String(inner);
  const status = statusOf(error);
  const said = status === undefined ? text : `HTTP ${status}, ${text}`;
  return cutTail(said.trim(), maxChars).replace(/\.$/, "");
}

/** Node's error for a host whose addresses all refuse has no message. */
function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}
