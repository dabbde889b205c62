/** What a line may carry beside its message. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry these fields. */
  with(fields: LogFields): Logger;
}

export interface LogOptions {
  /** Values that must never appear in a line. */
  readonly secrets: readonly string[];
  readonly write: (line: string) => void;
}

/** JSON lines: `{"ts","level","message",…fields}`. Secrets and tokens are replaced in the finished line. */
export function makeLogger(options: LogOptions, context: LogFields = {}): Logger {
  const redact = makeRedactor(options.secrets);
  const line = (level: string, message: string, fields: LogFields = {}): void => {
    const ts = new Date().toISOString();
    options.write(`${redact(encode({ ts, level, message, ...context, ...fields }))}\n`);
  };
  return {
    info: (message, fields) => line("info", message, fields),
    warn: (message, fields) => line("warn", message, fields),
    error: (message, fields) => line("error", message, fields),
    with: (fields) => makeLogger(options, { ...context, ...fields }),
  };
}

const jsonWebToken = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g;
const bearer = /\b(Bearer\s+)[\w.~+/=-]{8,}/gi;

/** A secret of a few letters would eat ordinary words; nobody should have one. */
const secretMinChars = 6;

function makeRedactor(secrets: readonly string[]): (text: string) => string {
  const found = secrets
    .filter((secret) => secret.length >= secretMinChars)
    // Inside a JSON line a quote or backslash of a secret is escaped.
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    // The longest first: one secret may begin with another.
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    let clean = text.replace(jsonWebToken, "[redacted]").replace(bearer, "$1[redacted]");
    for (const secret of found) clean = clean.replaceAll(secret, "[redacted]");
    return clean;
  };
}

function encode(line: LogFields): string {
  try {
    return JSON.stringify(line, encodable);
  } catch (error) {
    // A cause may lead back to itself; the message must come out all the same.
    const { ts, level, message } = line;
    return JSON.stringify({ ts, level, message, unprintable: String(error) });
  }
}

/** JSON of an Error is `{}`; a log wants to know what happened. */
function encodable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause === undefined ? {} : { cause }) };
}
