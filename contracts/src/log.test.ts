import { expect, it } from "vitest";
import { makeLogger } from "./log.ts";

function logged(write: (log: ReturnType<typeof makeLogger>) => void): string {
  const lines: string[] = [];
  write(
    makeLogger({ secrets: ["hunter2-hunter2", 'quo"ted-secret'], write: (l) => lines.push(l) }),
  );
  return lines.join("");
}

it("writes one JSON line with its context", () => {
  const text = logged((log) => log.with({ runId: "r" }).warn("slow", { ms: 5 }));
  expect(text.endsWith("\n")).toBe(true);
  expect(JSON.parse(text)).toMatchObject({ level: "warn", message: "slow", runId: "r", ms: 5 });
});

it.each([
  ["a known secret", "key hunter2-hunter2 here"],
  ["one that JSON escapes", 'quo"ted-secret'],
  ["a JSON web token", `eyJhbGciOiJIUzI1NiJ9.eyJvcmciOiJhIn0.${"s".repeat(43)}`],
  ["a bearer header", "authorization: Bearer abcdefghijkl"],
])("hides %s", (_name, value) => {
  const text = logged((log) => log.error(value, { error: new Error(value), nested: { value } }));
  expect(text).not.toMatch(/hunter2|ted-secret|eyJ|abcdefghijkl/);
  expect(text).toContain("[redacted]");
  expect(() => JSON.parse(text)).not.toThrow();
});

it("tells what an error was, and its cause", () => {
  const text = logged((log) =>
    log.error("failed", { error: new TypeError("outer", { cause: new Error("inner") }) }),
  );
  expect(JSON.parse(text)).toMatchObject({
    error: { name: "TypeError", message: "outer", cause: { message: "inner" } },
  });
});

it("prints the message of a line that cannot be encoded", () => {
  const loop: Record<string, unknown> = {};
  loop["self"] = loop;
  expect(JSON.parse(logged((log) => log.info("round", loop)))).toMatchObject({ message: "round" });
});
