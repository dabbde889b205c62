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
  parts: Parts,
): Promise<boolean> {
  const message = parse(text);
  if (message === null) return false;
  if (message.type === "hello") return greet(socket, message, parts);
  if (parts.operators.place(socket) === null) return false;
  switch (message.type) {
    case "ack":
      parts.commands.confirmed(message.key);
      break;
    case "pool.status":
      await note(socket, message, parts);
      break;
    case "report":
      await passOn(socket, message, parts);
      break;
  }
  return true;
}

type Message<Type extends OperatorToPool["type"]> = Extract<
  OperatorToPool,
  { readonly type: Type }
>;

async function greet(
  socket: WebSocket,
  hello: Message<"hello">,
  { operators, commands }: Parts,
): Promise<boolean> {
  for (const older of operators.join(socket, hello, Date.now())) older.close(1000, "replaced");
  const place = operators.place(socket);
  if (place === null) return false;
  tell(socket, { type: "welcome", ...place });
  if (hello.leader) await commands.retell();
  return true;
}

async function note(
  socket: WebSocket,
  status: Message<"pool.status">,
  { operators, commands }: Parts,
): Promise<void> {
  const before = operators.leader();
  operators.heard(socket, status, Date.now());
  if (operators.leader() === socket && before !== socket) await commands.retell();
}

async function passOn(
  socket: WebSocket,
  report: Message<"report">,
  { env, operators }: Parts,
): Promise<void> {
  const place = operators.place(socket);
  if (place === null) return;
  try {
    await runStub(env, place.orgId, report.runId).sessionReport(place.pool, report);
  } catch {
    // Not acked: the operator sends it again.
    return;
  }
  tell(socket, { type: "ack", key: report.key });
}

function parse(text: string | ArrayBuffer): OperatorToPool | null {
  if (typeof text !== "string") return null;
  try {
    return OperatorToPool.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
