import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { releaseAtEnd } from "./cleanup.ts";

const recordTypes = { A: 1, AAAA: 28 } as const;
const cname = 5;

export interface DohRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** An alias in front of the addresses, as resolvers show it. */
  readonly CNAME?: string;
}

/**
 * A resolver behind DNS over HTTPS as JSON: `GET ?name=&type=` with `accept: application/dns-json`, answered as Cloudflare's
 * and Google's do. A name that it does not have is NXDOMAIN; the value "servfail" is a zone whose servers are broken.
 */
export async function startDohServer(
  zone: Readonly<Record<string, DohRecords | "servfail">>,
): Promise<{ readonly url: string; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://doh");
    const name = searchParams.get("name") ?? "";
    const type = searchParams.get("type") ?? "";
    if (request.headers.accept !== "application/dns-json" || !isRecordType(type)) {
      response.writeHead(400).end();
      return;
    }
    asked.push(`${name} ${type}`);
    response.writeHead(200, { "content-type": "application/dns-json" });
    response.end(JSON.stringify(answerOf(name, type, zone[name])));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  releaseAtEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`, asked };
}

type RecordType = keyof typeof recordTypes;

const isRecordType = (type: string): type is RecordType => Object.hasOwn(recordTypes, type);

function answerOf(name: string, type: RecordType, records: DohRecords | "servfail" | undefined) {
  const flags = { TC: false, RD: true, RA: true, AD: false, CD: false };
  const Question = [{ name, type: recordTypes[type] }];
  if (records === undefined) return { Status: 3, ...flags, Question };
  if (records === "servfail") return { Status: 2, ...flags, Question };
  const alias = records.CNAME === undefined ? [] : [{ type: cname, data: `${records.CNAME}.` }];
  const found = (records[type] ?? []).map((data) => ({ type: recordTypes[type], data }));
  const Answer = [...alias, ...found].map((record) => ({ name, TTL: 60, ...record }));
  return { Status: 0, ...flags, Question, ...(Answer.length > 0 ? { Answer } : {}) };
}
