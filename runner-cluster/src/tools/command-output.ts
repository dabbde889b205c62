import type { StreamRedactor } from "./tool.ts";
import { toolBounds } from "./tool-bounds.ts";

type StreamName = "stdout" | "stderr";
type Show = (stream: StreamName, chunk: string) => void;

/**
 * A command's output on its way: shown in chunks that are joined for a moment, its end kept for the
 * model, all of it (up to a bound) kept for the file that holds what was cut.
 */
export class CommandOutput {
  readonly #show: Show;
  readonly #redactors: Readonly<Record<StreamName, StreamRedactor>>;
  readonly #whole: Readonly<Record<StreamName, string[]>> = { stdout: [], stderr: [] };
  readonly #chars = { stdout: 0, stderr: 0 };
  #pending: { readonly stream: StreamName; text: string } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #shownChars = 0;

  constructor(redactStream: () => StreamRedactor, show: Show) {
    this.#show = show;
    this.#redactors = { stdout: redactStream(), stderr: redactStream() };
  }

  add(stream: StreamName, chunk: string): void {
    this.#keep(stream, this.#redactors[stream].push(chunk));
  }

  /** Shows what was held back. Nothing may be added after it. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      this.#keep(stream, this.#redactors[stream].end());
    }
    this.#flush();
  }

  /** More came than an event and the model are given. */
  get isCut(): boolean {
    return this.#chars.stdout + this.#chars.stderr > toolBounds.outputChars;
  }

  /** The end of a stream: what failed stands there. */
  tail(stream: StreamName): string {
    const text = this.#whole[stream].join("");
    if (!this.isCut) return text;
    const maxChars = toolBounds.outputChars / 2;
    if (text.length <= maxChars) return text;
    return `[cut: ${this.#chars[stream] - maxChars} characters before]\n${text.slice(-maxChars)}`;
  }

  whole(): string {
    const parts = (["stdout", "stderr"] as const).filter((stream) => this.#chars[stream] > 0);
    return parts.map((stream) => `--- ${stream}\n${this.#whole[stream].join("")}\n`).join("");
  }

  #keep(stream: StreamName, text: string): void {
    if (text === "") return;
    this.#chars[stream] += text.length;
    this.#spool(stream, text);
    if (this.#pending && this.#pending.stream !== stream) this.#flush();
    this.#pending ??= { stream, text: "" };
    this.#pending.text += text;
    if (this.#pending.text.length >= toolBounds.chunkChars) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), toolBounds.chunkJoinMs);
  }

  /** Drops from the front once there is too much: memory is bounded whatever a command prints. */
  #spool(stream: StreamName, text: string): void {
    const kept = this.#whole[stream];
    kept.push(text);
    if (this.#chars[stream] <= toolBounds.spoolChars) return;
    if (kept.length < 1024) return;
    const joined = kept.join("").slice(-toolBounds.spoolChars / 2);
    kept.splice(0, kept.length, joined);
  }

  #flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const pending = this.#pending;
    this.#pending = null;
    if (!pending) return;
    const room = toolBounds.outputChars - this.#shownChars;
    if (room <= 0) return;
    const text = pending.text.slice(0, room);
    this.#shownChars += text.length;
    for (let from = 0; from < text.length; from += toolBounds.chunkChars) {
      this.#show(pending.stream, text.slice(from, from + toolBounds.chunkChars));
    }
    if (this.#shownChars >= toolBounds.outputChars) this.#show(pending.stream, "\n[output cut]\n");
  }
}
