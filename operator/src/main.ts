import { main } from "./operator-process.ts";

await main(process.env, {
  uninstalls: process.argv[2] === "uninstall",
  wantsHelp: process.argv.includes("--help") || process.argv.includes("-h"),
});
