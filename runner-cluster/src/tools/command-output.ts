import type { StreamRedactor } from "@millrace/contracts";
import { toolBounds } from "./tool-bounds.ts";

type StreamName = "stdout" | "stderr";
type Show = (stream: StreamName, chunk: string) => void;

/**
 * A command's output on its way: shown as it comes (the attempt joins small pieces), its end kept for the
 * model, all of it (up to a bound) kept for the file that holds what was cut.
 */
export class CommandOutput {
  readonly #show: Show;
  readonly #redactors: Readonly<Record<StreamName, StreamRedactor>>;
  readonly #whole: Readonly<Record<StreamName, string[]>> = { stdout: [], stderr: [] };
  /** Characters that came, and those of them that are kept. */
  readonly #chars = { stdout: 0, stderr: 0 };
  readonly #kept = { stdout: 0, stderr: 0 };
  #shownChars = 0;
  #saidCut = false;

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
    return parts.map((stream) => this.#section(stream)).join("");
  }

  #section(stream: StreamName): string {
    const dropped = this.#chars[stream] - this.#kept[stream];
    const note = dropped > 0 ? `[the first ${dropped} characters were not kept]\n` : "";
    return `--- ${stream}\n${note}${this.#whole[stream].join("")}\n`;
  }

  #keep(stream: StreamName, text: string): void {
    if (text === "") return;
    this.#chars[stream] += text.length;
    this.#spool(stream, text);
    this.#showSome(stream, text);
  }

  /** Drops from the front once there is too much: memory is bounded whatever a command prints. */
  #spool(stream: StreamName, text: string): void {
    const kept = this.#whole[stream];
    kept.push(text);
    this.#kept[stream] += text.length;
    if (this.#kept[stream] <= toolBounds.spoolChars) return;
    const end = kept.join("").slice(-toolBounds.spoolChars / 2);
    kept.splice(0, kept.length, end);
    this.#kept[stream] = end.length;
  }

  #showSome(stream: StreamName, text: string): void {
    const room = toolBounds.outputChars - this.#shownChars;
    const shown = text.slice(0, Math.max(0, room));
    this.#shownChars += shown.length;
    for (let from = 0; from < shown.length; from += toolBounds.chunkChars) {
      this.#show(stream, shown.slice(from, from + toolBounds.chunkChars));
    }
    if (shown.length === text.length || this.#saidCut) return;
    this.#saidCut = true;
    this.#show(stream, "\n[output cut]\n");
  }
}
