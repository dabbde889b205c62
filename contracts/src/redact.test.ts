import { describe, it } from "vitest";
import { makeRedactor } from "./redact.ts";

const secret = "local-model-key-42";
const redactor = makeRedactor([secret, "abc"]);
const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N";
const pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----";

const table: readonly (readonly [name: string, text: string, expected: string])[] = [
  ["a known value", `key=${secret};`, "key=[redacted];"],
  ["a value too short to be a secret", "abc", "abc"],
  ["an OpenAI key", "use sk-proj-abcDEF1234567890abcd now", "use [redacted] now"],
  ["a GitHub token", "ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"],
  ["an AWS key id", "(AKIAIOSFODNN7EXAMPLE)", "([redacted])"],
  ["a JSON web token", `token ${jwt}.`, "token [redacted]."],
  [
    "a bearer header",
    "Authorization: Bearer abcdefghijklmnopqrstuvwx\n",
    "Authorization: [redacted]\n",
  ],
  ["a private key", `a\n${pem}\nb`, "a\n[redacted]\nb"],
  ["a hyphenated word", "task-management-system-design-2026", "task-management-system-design-2026"],
  ["a class name", "sk-loading-indicator-wrapper", "sk-loading-indicator-wrapper"],
  [
    "a git sha",
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  ],
];

describe("redaction", () => {
  for (const [name, text, expected] of table) {
    it(`of ${name}, whole`, ({ expect }) => {
      expect(redactor.text(text)).toBe(expected);
    });

    it(`of ${name}, in pieces`, ({ expect }) => {
      for (const size of [1, 2, 3, 5, 8, 13]) {
        const stream = redactor.stream();
        const cut = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
        const out = cut.map((piece) => stream.push(piece)).join("") + stream.end();
        expect(out).toBe(expected);
      }
    });
  }

  it("reaches every string of a JSON value and leaves the rest alone", ({ expect }) => {
    const value = { a: [secret, 1, null], b: { c: `x${secret}` } };
    expect(redactor.json(value)).toEqual({ a: ["[redacted]", 1, null], b: { c: "x[redacted]" } });
  });

  it("lets ordinary text through at once", ({ expect }) => {
    const stream = redactor.stream();
    expect(stream.push("Hello, world. ")).toBe("Hello, world. ");
  });

  it("takes linear time on a long line without blanks", ({ expect }) => {
    const stream = redactor.stream();
    const line = "a".repeat(1_000_000);
    expect(stream.push(`${line}\n`).length + stream.end().length).toBe(line.length + 1);
  });

  it("keeps sample keys for the model and takes known values out", ({ expect }) => {
    const sample = "ghp_0123456789abcdefghij0123456789abcdef";
    expect(redactor.known(`${sample} ${secret}`)).toBe(`${sample} [redacted]`);
  });
});
