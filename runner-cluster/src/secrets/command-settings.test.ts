import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeRedactor } from "@millrace/contracts";
import { describe, expect, it, onTestFinished } from "vitest";
import { readMcpServers } from "../mcp/read-mcp-servers.ts";
import { HostFixture, runIn } from "../workspaces/workspace-fixture.ts";
import { readCommandSettings } from "./command-settings.ts";

type Entries = Readonly<Record<string, string | Buffer>>;

/** As kubelet mounts them: the files are links into a folder that is replaced as a whole. */
function mount(secrets: Readonly<Record<string, Entries>>): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-secrets-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, entries] of Object.entries(secrets)) {
    const data = join(folder, name, "..2026_11_21");
    mkdirSync(data, { recursive: true });
    symlinkSync("..2026_11_21", join(folder, name, "..data"));
    for (const [key, value] of Object.entries(entries)) {
      writeFileSync(join(data, key), value);
      symlinkSync(join("..data", key), join(folder, name, key));
    }
  }
  return folder;
}

function envFile(text: string): string {
  const file = join(mount({ env: {} }), "env.json");
  writeFileSync(file, text);
  return file;
}

describe("what a session's commands are given", () => {
  it("is its env, and its Secrets' entries that are variables by name", () => {
    const folder = mount({
      keys: { API_KEY: "of-the-secret", "tls.crt": "no-variable", ".git-credentials": "x" },
      more: { TOKEN: "t0ken-of-more", BINARY: Buffer.from([0xff, 0xfe, 0x00]) },
    });
    const env = envFile(JSON.stringify({ MODE: "fast", API_KEY: "of-the-env" }));
    const { variables, secretsDir } = readCommandSettings(env, folder);
    expect(variables).toEqual({ MODE: "fast", API_KEY: "of-the-secret", TOKEN: "t0ken-of-more" });
    expect(secretsDir).toBe(folder);
  });

  it("is nothing where the session says nothing", () => {
    const none = { variables: {}, secrets: [], secretsDir: undefined };
    expect(readCommandSettings(undefined, undefined)).toEqual(none);
    expect(readCommandSettings(envFile("{}"), "/nowhere/secrets")).toEqual(none);
  });

  it.each(["{", "[]", '{"A B":"x"}', '{"A":1}'])("cannot be %s", (text) => {
    expect(() => readCommandSettings(envFile(text), undefined)).toThrow(
      /JSON|expected|pattern|match/i,
    );
  });

  it("reaches commands, and cannot move what the runner relies on", async () => {
    const host = await HostFixture.make();
    onTestFinished(() => host.remove());
    const commandVariables = {
      API_KEY: "of-the-secret",
      CI: "false",
      PATH: "/evil",
      HOME: "/evil",
    };
    const workspace = await host.open({}, { commandVariables });
    const ran = await runIn(workspace, 'echo "$API_KEY $CI $PATH $HOME"');
    expect(ran.stdout).toMatch(/^of-the-secret false /);
    expect(ran.stdout).not.toContain("evil");
  });
});

const file = (servers: object) => envFile(JSON.stringify(servers));

describe("what a session's MCP servers are told", () => {
  const url = "https://mcp.example.com/mcp";
  const header = { name: "Authorization", secret: "docs", key: "TOKEN", prefix: "Bearer " };

  it("is a key of a Secret, which is no variable of commands then", () => {
    const folder = mount({
      docs: { TOKEN: "t0ken-of-docs\n", OTHER: "other" },
      more: { TOKEN: "t0ken" },
    });
    const { servers, secretKeys } = readMcpServers(
      file({ docs: { url, headers: [header] } }),
      folder,
    );
    expect(servers).toEqual([
      {
        name: "docs",
        url,
        headers: { Authorization: "Bearer t0ken-of-docs" },
        tools: null,
        optional: false,
        timeoutMs: 60_000,
      },
    ]);
    const { variables, secrets } = readCommandSettings(undefined, folder, secretKeys);
    expect(variables).toEqual({ TOKEN: "t0ken", OTHER: "other" });
    expect(secrets).toContain("t0ken-of-docs");
  });

  it.each([
    [{}, "mcpServers.docs: the Secret's key docs/TOKEN is not there"],
    [{ TOKEN: "two\nlines-4711" }, "docs/TOKEN is empty, or no text"],
    [{ TOKEN: "\n" }, "docs/TOKEN is empty, or no text"],
  ])("is refused when it is %j, without its value", (entries, words) => {
    const read = () =>
      readMcpServers(file({ docs: { url, headers: [header] } }), mount({ docs: entries }));
    expect(read).toThrow(words);
    expect(read).not.toThrow("4711");
  });

  it("is nothing over plain http", () => {
    expect(() =>
      readMcpServers(file({ docs: { url: "http://mcp.example.com" } }), "/none"),
    ).toThrow("url");
  });
});

const hide = (entries: Entries) =>
  makeRedactor(readCommandSettings(undefined, mount({ s: entries })).secrets);

const digest = (at: number) => createHash("sha256").update(String(at)).digest("hex");

describe("what must not show", () => {
  it("is every value of eight characters and more", () => {
    const redactor = hide({ LONG: "12345678\n", SHORT: "1234567" });
    expect(redactor.text("a 12345678 b 1234567 c")).toBe("a [redacted] b 1234567 c");
  });

  it("is each line of a value, and the password in a URL", () => {
    const redactor = hide({
      key: "first-line\nsecond-line\n",
      ".git-credentials": "https://robot:pa%20ssword@example.com\n",
    });
    expect(redactor.text("second-line then first-line")).toBe("[redacted] then [redacted]");
    expect(redactor.text("pa ssword or pa%20ssword")).toBe("[redacted] or [redacted]");
  });

  it.each([1, 3, 7, 500])("is found in pieces of %i characters too", (size) => {
    const long = Array.from({ length: 48 }, (_, at) => digest(at)).join("");
    const secret = "hunter22-hunter23";
    const text = `start ${secret} hunter22-hun hunter22-${secret} ${long} end`;
    const redactor = hide({ SECRET: secret, LONG: long });
    const stream = redactor.stream();
    let clean = "";
    for (let at = 0; at < text.length; at += size) clean += stream.push(text.slice(at, at + size));
    clean += stream.end();
    expect(clean).toBe(redactor.text(text));
    expect(clean).toBe(
      "start [redacted] hunter22-hun hunter22-[redacted] [redacted][redacted][redacted] end",
    );
  });
});
