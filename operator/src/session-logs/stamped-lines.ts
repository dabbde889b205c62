import { limits } from "@millrace/contracts";

/** A line and when it was written, in Unix microseconds, made larger than the one before. */
export type StampedLine = readonly [id: number, text: string];

/** Lines of a log that was asked for with `timestamps`. A line without one, as runtimes write for parts of a long line, belongs to the one before. */
export async function* stampedLines(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly StampedLine[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let last = 0;
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = cut(lines.pop() ?? "");
    const stamped = lines.map((line): StampedLine => {
      const [id, text] = split(line, last);
      last = id;
      return [id, cut(text)];
    });
    if (stamped.length > 0) yield stamped;
  }
  if (rest !== "") yield [split(rest, last)];
}

/** Beyond what a stamp takes nobody reads a line to its end. */
const cut = (text: string): string =>
  text.length > limits.liveLogLineMaxChars + stampChars
    ? text.slice(0, limits.liveLogLineMaxChars + stampChars)
    : text;

const stampChars = 40;
const stamp = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d) /;

function split(line: string, last: number): StampedLine {
  const [whole, seconds, fraction = "", zone] = stamp.exec(line) ?? [];
  if (whole === undefined) return [last + 1, line];
  const micros = Number(fraction.padEnd(6, "0").slice(0, 6));
  const id = Date.parse(`${seconds}${zone}`) * 1000 + micros;
  return [Math.max(id, last + 1), line.slice(whole.length)];
}

/** From when a log is to be asked for, so that the line after `id` is in it: the API server takes whole seconds. */
export function sinceOf(id: number): string {
  return new Date(Math.floor(id / 1_000_000) * 1000).toISOString().replace(".000Z", "Z");
}
