import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../../tests/support/model-server/main.ts", import.meta.url));

export interface SeenRequest {
  readonly phase: "plan" | "build";
  readonly index: number;
  readonly tries: number;
  readonly prompt: string;
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools: readonly string[];
  readonly sampling: Readonly<Record<string, unknown>>;
  readonly completed: boolean;
}

/** The scripted model server in a process of its own, spoken to over HTTP as a provider is. */
export async function startModelServerProcess(args: readonly string[] = []) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, "line")) as [string];
  const { url, port } = JSON.parse(line) as { readonly url: string; readonly port: number };
  return {
    url,
    async requests(prompt: string): Promise<readonly SeenRequest[]> {
      const answer = await fetch(`http://127.0.0.1:${port}/_log`);
      const { requests } = (await answer.json()) as { readonly requests: readonly SeenRequest[] };
      return requests.filter((request) => request.prompt.includes(prompt));
    },
    async stop(): Promise<void> {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A prompt that carries what the model shall do; `title` tells its requests from others. */
export const scripted = (title: string, scenario: unknown): string =>
  `${title}\n[scenario]${JSON.stringify(scenario)}[/scenario]`;
