import { main } from "./operator-process.ts";

await main(process.env, {
  wantsHelp: process.argv.includes("--help") || process.argv.includes("-h"),
});
