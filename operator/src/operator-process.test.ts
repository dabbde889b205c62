import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Loading the client alone takes seconds on a loaded machine. */
const timeoutMs = 120_000;

const program = join(import.meta.dirname, "main.ts");

function start(env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

it(
  "prints its settings",
  async () => {
    const { code, stdout } = await start({}, "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/LEASE_SECONDS .*\(15\)/);
  },
  timeoutMs,
);

it(
  "refuses bad settings by name",
  async () => {
    const { code, stderr } = await start({ HTTP_PORT: "none" });
    expect(code).toBe(2);
    expect(stderr).toMatch("HTTP_PORT");
  },
  timeoutMs,
);

it.each([
  [{}, "set KUBECONFIG"],
  [{ KUBECONFIG: "/no/such/file" }, "KUBECONFIG=/no/such/file cannot be used"],
])(
  "says why it has no cluster: %o",
  async (env, problem) => {
    const { code, stderr } = await start(env);
    expect(code).toBe(1);
    expect(stderr).toMatch(problem);
  },
  timeoutMs,
);
