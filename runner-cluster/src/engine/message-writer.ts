import type { Phase, Redactor, RunnerEvent, StreamRedactor } from "@millrace/contracts";
import { piecesOf } from "./bound-event.ts";
import type { Journal } from "./journal.ts";

type Kind = "text" | "reasoning";

interface OpenMessage {
  readonly kind: Kind;
  readonly messageId: string;
  readonly clean: StreamRedactor;
}

/** Shows one answer of the model while it comes. Whatever it opened, it closes. */
export class MessageWriter {
  readonly #journal: Journal;
  readonly #redactor: Redactor;
  readonly #phase: Phase;
  #open: OpenMessage | null = null;

  constructor(journal: Journal, redactor: Redactor, phase: Phase) {
    this.#journal = journal;
    this.#redactor = redactor;
    this.#phase = phase;
  }

  write(kind: Kind, text: string): void {
    if (this.#open && this.#open.kind !== kind) this.#emitAll(this.close());
    const open = this.#open ?? this.#begin(kind);
    this.#emitAll(deltasOf(open, open.clean.push(text)));
  }

  /** The events that close what is open, for the frame that they belong to. */
  close(): readonly RunnerEvent[] {
    return this.#closing({});
  }

  /** Closes what is open as unfinished: the call was aborted or failed. */
  interrupt(): void {
    this.#emitAll(this.#closing({ interrupted: true }));
  }

  #begin(kind: Kind): OpenMessage {
    const messageId = this.#journal.newMessageId();
    this.#open = { kind, messageId, clean: this.#redactor.stream() };
    this.#journal.emit({ type: `${kind}.started`, data: { messageId, phase: this.#phase } });
    return this.#open;
  }

  #closing(mark: { readonly interrupted?: true }): readonly RunnerEvent[] {
    const open = this.#open;
    if (!open) return [];
    this.#open = null;
    const rest = open.clean.end();
    const finished: RunnerEvent = {
      type: `${open.kind}.finished`,
      data: { messageId: open.messageId, ...mark },
    };
    return [...deltasOf(open, rest), finished];
  }

  #emitAll(events: readonly RunnerEvent[]): void {
    for (const event of events) this.#journal.emit(event);
  }
}

function deltasOf({ kind, messageId }: OpenMessage, text: string): readonly RunnerEvent[] {
  if (text === "") return [];
  return [...piecesOf(text)].map((piece) => ({
    type: `${kind}.delta` as const,
    data: { messageId, text: piece },
  }));
}
