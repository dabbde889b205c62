import { z } from "zod";

/** An answer of DNS over HTTPS as JSON: the form of Cloudflare's and Google's resolvers, `application/dns-json`. */
const DnsAnswer = z.object({
  /** RCODE: 0 is success, 3 is "no such name". */
  Status: z.int(),
  Answer: z.array(z.object({ type: z.int(), data: z.string() })).default([]),
});

const recordTypes = { A: 1, AAAA: 28 } as const;
const noSuchName = 3;

/**
 * Every address of a host, of both families; none when there is no such name. Throws when the resolver does not answer
 * or its servers fail: an address that is not known cannot be checked.
 */
export async function resolveHost(
  host: string,
  dohUrl: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const answers = await Promise.all([
    query(host, "A", dohUrl, signal),
    query(host, "AAAA", dohUrl, signal),
  ]);
  return answers.flat();
}

async function query(
  host: string,
  type: keyof typeof recordTypes,
  dohUrl: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const url = new URL(dohUrl);
  url.searchParams.set("name", host);
  url.searchParams.set("type", type);
  const response = await fetch(url, { headers: { accept: "application/dns-json" }, signal });
  if (!response.ok) throw new Error(`the resolver answered ${response.status}`);
  const { Status, Answer } = DnsAnswer.parse(await response.json());
  if (Status === noSuchName) return [];
  if (Status !== 0) throw new Error(`the resolver answered with code ${Status}`);
  // The chain of aliases comes along with the addresses at its end.
  return Answer.filter((record) => record.type === recordTypes[type]).map(({ data }) => data);
}
