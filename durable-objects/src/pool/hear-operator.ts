import { OperatorToPool } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import { runStub } from "../stubs.ts";
import type { Commands } from "./commands.ts";
import { tell, type Operators } from "./operators.ts";

interface Parts {
  readonly env: PlatformEnv;
  readonly operators: Operators;
  readonly commands: Commands;
}

/** Takes one message of an operator. False: it is none, or comes before its hello. */
export async function hearOperator(
  socket: WebSocket,
  text: string | ArrayBuffer,
  { env, operators, commands }: Parts,
): Promise<boolean> {
  const message = parse(text);
  if (message === null) return false;
  const now = Date.now();
  if (message.type === "hello") {
    for (const older of operators.join(socket, message, now)) older.close(1000, "replaced");
    const place = operators.place(socket);
    if (place === null) return false;
    tell(socket, { type: "welcome", ...place });
    if (message.leader) await commands.retell();
    return true;
  }
  const place = operators.place(socket);
  if (place === null) return false;
  switch (message.type) {
    case "ack":
      commands.confirmed(message.key);
      return true;
    case "pool.status": {
      const before = operators.leader();
      operators.heard(socket, message, now);
      if (operators.leader() === socket && before !== socket) await commands.retell();
      return true;
    }
    case "report": {
      const { runId, key } = message;
      try {
        await runStub(env, place.orgId, runId).sessionReport(place.pool, message);
      } catch {
        // Not acked: the operator sends it again.
        return true;
      }
      tell(socket, { type: "ack", key });
      return true;
    }
  }
}

function parse(text: string | ArrayBuffer): OperatorToPool | null {
  if (typeof text !== "string") return null;
  try {
    return OperatorToPool.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
