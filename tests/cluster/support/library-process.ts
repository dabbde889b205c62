import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";

/** A line that the process said by itself. */
export interface News {
  readonly news: string;
  readonly name?: string;
  readonly term?: number;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly refused?: string;
  readonly message?: string;
}

export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string; readonly message: string };

const program = join(import.meta.dirname, "../../../operator/src/testing/library-process.ts");

/** The operator's library in a process that a test can freeze and kill. */
export class LibraryProcess {
  readonly news: News[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  /** Killed at the end of the test. */
  constructor(kubeconfig: string) {
    this.#child = spawn(process.execPath, [program], {
      env: { PATH: process.env["PATH"], KUBECONFIG: kubeconfig },
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
    // The pipe of a killed process is not an error of the test.
    this.#child.stdin.on("error", () => undefined);
    const exited = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    releaseAtEnd(async () => {
      this.signal("SIGKILL");
      await exited;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** A command of `operator/src/testing/library-process.ts`. */
  async call(op: string, args: object = {}): Promise<Reply> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin.write(`${JSON.stringify({ id, op, ...args })}\n`);
    });
    const { value, refused, message = "" } = answer;
    return refused === undefined ? { ok: true, value } : { ok: false, reason: refused, message };
  }

  count(news: string): number {
    return this.news.filter((one) => one.news === news).length;
  }

  async saidOf(news: string, name?: string): Promise<void> {
    const isIt = (one: News): boolean =>
      one.news === news && (name === undefined || one.name === name);
    await waitUntil(`the library says ${news} ${name ?? ""}`, () => this.news.some(isIt));
  }

  #hear(line: string): void {
    const said = JSON.parse(line) as News | Answer;
    if ("news" in said) {
      this.news.push(said);
      return;
    }
    this.#waiting.get(said.id)?.(said);
    this.#waiting.delete(said.id);
  }
}
