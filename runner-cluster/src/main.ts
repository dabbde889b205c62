import { handOver } from "./secrets/hand-over.ts";
import { readHandedOver } from "./secrets/read-handed-over.ts";

const handedOver = readHandedOver();
const problem = handedOver || wantsHelp() ? undefined : (await handOver(process.env)).reason;

// Loaded late: the first image of this process lives for a few milliseconds and needs none of it.
const { main } = await import("./run-process.ts");
await main(handedOver ?? process.env, { wantsHelp: wantsHelp(), exposed: problem });

function wantsHelp(): boolean {
  return process.argv.includes("--help") || process.argv.includes("-h");
}
