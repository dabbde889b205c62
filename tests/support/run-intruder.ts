import { createHmac } from "node:crypto";
import { runnerPaths, type RunnerToRun, type RunToRunner } from "@millrace/contracts";
import { releaseAtEnd } from "./cleanup.ts";

/** A run token as the platform signs it, if the secret is the platform's. */
export function signRunToken(
  claims: { readonly run: string; readonly attempt: number },
  secret: string,
): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const org = "00000000-0000-7000-8000-000000000001";
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { ...claims, org, exp },
  ];
  const body = parts
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** What the platform answered to somebody who has no business at the run. */
export interface Reception {
  /** False: not even the connection was granted. */
  readonly admitted: boolean;
  readonly answers: readonly RunToRunner[];
}

/** Attaches to a run with this token, says all at once and listens until the platform closes. */
export async function intrude(
  edgeUrl: string,
  runId: string,
  visit: { readonly token: string | null; readonly says: readonly RunnerToRun[] },
): Promise<Reception> {
  const url = `${edgeUrl.replace("http", "ws")}${runnerPaths.runSocket(runId)}`;
  const headers: Record<string, string> =
    visit.token === null ? {} : { authorization: `Bearer ${visit.token}` };
  const socket = new WebSocket(url, { headers });
  releaseAtEnd(() => socket.close());
  const answers: RunToRunner[] = [];
  let admitted = false;
  socket.addEventListener("open", () => {
    admitted = true;
    for (const message of visit.says) socket.send(JSON.stringify(message));
  });
  socket.addEventListener("message", ({ data }) => {
    answers.push(JSON.parse(String(data)) as RunToRunner);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.addEventListener("close", () => resolve());
  // A refused connection ends with an error, which says no more than `admitted` does.
  socket.addEventListener("error", () => resolve());
  await promise;
  return { admitted, answers };
}
