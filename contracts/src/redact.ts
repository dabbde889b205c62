import { mapStrings } from "./map-strings.ts";

/** Takes secrets out of text that comes in pieces; holds back what may be the start of one. */
export interface StreamRedactor {
  push(text: string): string;
  end(): string;
}

/**
 * Keeps secrets out of what is appended, stored and shown: values that this runner knows, and text
 * that looks like a key of the usual kinds.
 */
export interface Redactor {
  /** Takes out known values and what looks like a secret. For events. */
  text(text: string): string;
  /** The same for every string inside a JSON value. */
  json<T>(value: T): T;
  /** Takes out known values only: what a model needs in order to work on a file full of sample keys stays. */
  known(text: string): string;
  /** For text that comes in pieces, with the same result as `text` on the whole. */
  stream(): StreamRedactor;
}

const mark = "[redacted]";
const joint = "\uE000";

/** How the usual secrets begin, and what follows. The beginnings also tell what a stream must hold back. */
const tokenPatterns: readonly { readonly start: string; readonly rest: string }[] = [
  // A class name can look like a key; a key has a digit in it.
  { start: "sk-", rest: "(?=[\\w*.-]*\\d)[\\w*.-]{16,}" },
  { start: "sk_live_", rest: "\\w{16,}" },
  { start: "ghp_", rest: "\\w{20,}" },
  { start: "gho_", rest: "\\w{20,}" },
  { start: "ghs_", rest: "\\w{20,}" },
  { start: "ghu_", rest: "\\w{20,}" },
  { start: "ghr_", rest: "\\w{20,}" },
  { start: "github_pat_", rest: "\\w{20,}" },
  { start: "glpat-", rest: "[\\w-]{16,}" },
  { start: "xoxb-", rest: "[\\w-]{16,}" },
  { start: "xoxp-", rest: "[\\w-]{16,}" },
  { start: "xai-", rest: "\\w{20,}" },
  { start: "gsk_", rest: "\\w{20,}" },
  { start: "hf_", rest: "\\w{20,}" },
  { start: "npm_", rest: "\\w{30,}" },
  { start: "AKIA", rest: "[0-9A-Z]{16}" },
  { start: "AIza", rest: "[\\w-]{30,}" },
  { start: "eyJ", rest: "[\\w-]{8,}\\.[\\w-]{8,}\\.[\\w-]{8,}" },
  { start: "Bearer ", rest: "[\\w.~+/=-]{20,}" },
  {
    start: "-----BEGIN ",
    rest: "[A-Z ]*PRIVATE KEY-----[\\s\\S]*?-----END [A-Z ]*PRIVATE KEY-----",
  },
];

const starts = tokenPatterns.map((pattern) => pattern.start);
const tokens = new RegExp(
  `(?<![A-Za-z0-9\uE000])(?:${tokenPatterns.map(({ start, rest }) => start + rest).join("|")})`,
  "g",
);

const tokenStart = new RegExp(`(?<![A-Za-z0-9\uE000])(?:${starts.join("|")})`, "g");
const tokenCharacter = /[\w.~+/=*-]/;
/** What may hold blanks and line ends, and has not come to its own end. */
const openBlock =
  /(?<![A-Za-z0-9\uE000])(?:-----BEGIN (?![\s\S]*-----END [A-Z ]*PRIVATE KEY-----)[\s\S]*|Bearer [^\s"']*)$/;

/** A secret of a few letters would eat ordinary words. */
const secretMinChars = 6;
/** A token that goes on for longer than this is let through in parts; a private key fits. */
const maxHeldChars = 16_384;

/** Makes a redactor for the values that a runner must keep to itself. */
export function makeRedactor(secrets: readonly string[]): Redactor {
  // The longest first: one secret may begin with another.
  const values = secrets
    .filter((secret) => secret.length >= secretMinChars)
    .toSorted((a, b) => b.length - a.length);
  const known = (text: string): string =>
    values.reduce((clean, secret) => clean.replaceAll(secret, mark), text);
  const text = (value: string): string => known(value).replace(tokens, mark);
  return {
    known,
    text,
    json: (value) => mapStrings(value, text),
    stream: () => makeStream(text, values),
  };
}

function makeStream(text: (value: string) => string, values: readonly string[]): StreamRedactor {
  let held = "";
  // Stands for a letter or digit that was let go already: a token cannot begin right after it.
  let before = "";
  const release = (until: number): string => {
    const raw = held.slice(0, until);
    const clean = text(before + raw).slice(before.length);
    if (raw !== "") before = /[A-Za-z0-9]$/.test(raw) ? joint : "";
    held = held.slice(until);
    return clean;
  };
  return {
    push(piece) {
      held += piece;
      return release(holdFrom(before + held, values) - before.length);
    },
    end: () => release(held.length),
  };
}

/** Where the text begins that could still become a secret when more of it comes. */
function holdFrom(held: string, values: readonly string[]): number {
  const open = Math.min(
    openTokenFrom(held),
    ...starts.map((start) => partialStartFrom(held, start)),
  );
  const border = held.length - open > maxHeldChars ? held.length : open;
  const from = Math.min(border, ...values.map((value) => partialFrom(held, value)));
  // Never let go of the first half of a known value that lies across the border.
  return Math.min(from, ...values.map((value) => acrossFrom(held, value, from)));
}

/** Where a token starts that reaches the end of the text, so that its end has not been seen. */
function openTokenFrom(held: string): number {
  const open = openBlock.exec(held);
  if (open) return open.index;
  // By hand: a pattern that ends in `$` takes quadratic time on a long line of base64.
  let run = held.length;
  while (run > 0 && tokenCharacter.test(held.charAt(run - 1))) run -= 1;
  tokenStart.lastIndex = run;
  return tokenStart.exec(held)?.index ?? held.length;
}

/** Where the end of the text is a beginning, not yet whole, of a token. */
function partialStartFrom(held: string, start: string): number {
  const from = partialFrom(held, start);
  return from > 0 && /[A-Za-z0-9\uE000]/.test(held.charAt(from - 1)) ? held.length : from;
}

function partialFrom(held: string, word: string): number {
  const first = word.charAt(0);
  let at = held.indexOf(first, Math.max(0, held.length - word.length + 1));
  while (at >= 0 && !word.startsWith(held.slice(at))) at = held.indexOf(first, at + 1);
  return at < 0 ? held.length : at;
}

function acrossFrom(held: string, value: string, border: number): number {
  const at = held.indexOf(value, Math.max(0, border - value.length + 1));
  return at >= 0 && at < border ? at : border;
}
