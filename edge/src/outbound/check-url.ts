import { isLoopbackAddress, isPublicAddress } from "./address-range.ts";

export type CheckedUrl =
  /** `host`: the name that has to be resolved and checked; null: there is nothing to resolve. */
  | { readonly ok: true; readonly url: URL; readonly host: string | null }
  | { readonly ok: false; readonly reason: string };

const refuse = (reason: string): CheckedUrl => ({ ok: false, reason });

/**
 * Judges a URL that a user gave by what stands in it; its host's name is resolved later, when something is sent.
 * The URL parser has made one notation of all that a browser takes for an address: 0x7f.1, 2130706433 and 0177.0.0.1
 * arrive here as 127.0.0.1.
 */
export function checkUrl(text: string, allowLoopback: boolean): CheckedUrl {
  const url = URL.parse(text);
  if (url === null) return refuse("must be a URL");
  if (url.username !== "" || url.password !== "") return refuse("must not hold credentials");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (allowLoopback && isWeb(url) && isLoopback(host)) return { ok: true, url, host: null };
  return checkPublic(url, host);
}

function checkPublic(url: URL, host: string): CheckedUrl {
  if (url.protocol !== "https:") return refuse("must be https");
  if (url.port !== "") return refuse("must be on port 443");
  const isNumber = isAddress(host);
  const isPublic = isNumber ? isPublicAddress(host) : isPublicName(host);
  return isPublic
    ? { ok: true, url, host: isNumber ? null : host }
    : refuse("must be a public host");
}

const isWeb = ({ protocol }: URL): boolean => protocol === "https:" || protocol === "http:";

/** The parser leaves only dotted decimals where it saw an IPv4 address, and IPv6 in brackets. */
function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

const isLocalName = (name: string): boolean => name === "localhost" || name.endsWith(".localhost");

function isLoopback(host: string): boolean {
  return isAddress(host) ? isLoopbackAddress(host) : isLocalName(host.replace(/\.$/, ""));
}

/** A name without a dot, or of a machine's own file, would be found by nobody else than this machine. */
function isPublicName(host: string): boolean {
  const name = host.replace(/\.$/, "");
  return name.includes(".") && !isLocalName(name);
}
