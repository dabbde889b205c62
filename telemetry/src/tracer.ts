/** Facts about a span. They leave the machine: no prompt, no file's content, no argument of a tool, no secret. */
export type Attributes = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

interface SpanStart {
  /** `client`: another system is asked and its answer awaited. */
  readonly kind?: "internal" | "client";
  readonly attributes?: Attributes;
  /** Unix ms; now without it. */
  readonly at?: number;
}

interface SpanEnd {
  /** It failed: a stable word that says how, never a message. */
  readonly error?: string;
  /** Unix ms; now without it. */
  readonly at?: number;
}

/** A piece of work with a beginning and an end. What comes after the end is ignored. */
export interface Span {
  child(name: string, start?: SpanStart): Span;
  set(attributes: Attributes): void;
  event(name: string, at?: number): void;
  end(end?: SpanEnd): void;
}

export interface Tracer {
  /** `parent` is a W3C `traceparent`; null begins a trace. */
  span(name: string, parent: string | null, start?: SpanStart): Span;
}

export const noSpan: Span = {
  child: () => noSpan,
  set: () => undefined,
  event: () => undefined,
  end: () => undefined,
};

export const noTracer: Tracer = { span: () => noSpan };

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "unknown");

/** Ends the span when the work ends; with the error's name, or what `wordFor` makes of it, when that throws; undefined: it is no failure. */
export async function within<T>(
  span: Span,
  work: (span: Span) => Promise<T>,
  wordFor: (error: unknown) => string | undefined = nameOf,
): Promise<T> {
  try {
    const result = await work(span);
    span.end();
    return result;
  } catch (error) {
    const word = wordFor(error);
    span.end(word === undefined ? {} : { error: word });
    throw error;
  }
}
