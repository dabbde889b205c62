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
  const attached = attach(edgeUrl, runId, visit.token);
  const admitted = await attached.opened;
  if (admitted) for (const message of visit.says) attached.say(message);
  await attached.closed;
  return { admitted, answers: attached.answers };
}

/** A run socket that does what a test says, and nothing by itself: no heartbeat, no second claim. */
export interface Attached {
  /** False: the connection was not granted. */
  readonly opened: Promise<boolean>;
  readonly closed: Promise<void>;
  readonly answers: readonly RunToRunner[];
  say(message: RunnerToRun): void;
}

export function attach(edgeUrl: string, runId: string, token: string | null): Attached {
  const url = `${edgeUrl.replace("http", "ws")}${runnerPaths.runSocket(runId)}`;
  const headers: Record<string, string> =
    token === null ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url, { headers });
  releaseAtEnd(() => socket.close());
  const answers: RunToRunner[] = [];
  const opened = Promise.withResolvers<boolean>();
  const closed = Promise.withResolvers<void>();
  socket.addEventListener("open", () => opened.resolve(true));
  socket.addEventListener("message", ({ data }) => {
    answers.push(JSON.parse(String(data)) as RunToRunner);
  });
  // A refused connection ends with an error, and says no more than that it did not open.
  for (const end of ["close", "error"] as const) {
    socket.addEventListener(end, () => {
      opened.resolve(false);
      closed.resolve();
    });
  }
  return {
    opened: opened.promise,
    closed: closed.promise,
    answers,
    say: (message) => socket.send(JSON.stringify(message)),
  };
}
