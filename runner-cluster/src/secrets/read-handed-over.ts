import { closeSync, readFileSync } from "node:fs";

/** The descriptor on which the settings wait, and the variable that says so. */
export const handOverFd = 3;
export const handOverMark = "MILLRACE_SETTINGS_FD";

/** The environment that the process before this one handed over; undefined when there was none. */
export function readHandedOver(): NodeJS.ProcessEnv | undefined {
  if (process.env[handOverMark] !== String(handOverFd)) return undefined;
  delete process.env[handOverMark];
  const text = readFileSync(handOverFd, "utf8");
  closeSync(handOverFd);
  return JSON.parse(text) as NodeJS.ProcessEnv;
}
