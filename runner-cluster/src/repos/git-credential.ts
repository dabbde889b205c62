import { text } from "node:stream/consumers";
import { readCredential } from "./read-credentials.ts";

/**
 * A credential helper (git-credential(1)): answers `get` from the Secrets in the directory that its first argument
 * names, on a pipe that only git reads. What git would have it store or forget is not its to keep.
 */
const [folder = "", verb] = process.argv.slice(2);
if (verb === "get") {
  const asked = new Map((await text(process.stdin)).split("\n").map(splitLine));
  const protocol = asked.get("protocol") ?? "";
  const host = asked.get("host") ?? "";
  const found = readCredential(folder, { protocol, host });
  if (found) process.stdout.write(`username=${found.username}\npassword=${found.password}\n`);
}

function splitLine(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}
