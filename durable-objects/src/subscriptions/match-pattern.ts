/** One segment of a stream's name, whichever. */
const one = "*";
/** Any number of segments, none too. */
const any = "**";

/**
 * Does a stream's name fit a pattern of segments? A wildcard is a whole segment; `%2A` is a star that means itself. Takes time
 * in proportion to both lengths, whatever the pattern.
 */
export function isMatch(pattern: string, name: string): boolean {
  const parts = name.split("/");
  // reached[n]: the segments so far fit the first n parts of the name.
  let reached = [true, ...parts.map(() => false)];
  for (const segment of pattern.split("/")) {
    if (segment === any) {
      const first = reached.indexOf(true);
      reached = reached.map((_, n) => first >= 0 && n >= first);
    } else {
      const before = reached;
      reached = before.map(
        (_, n) => n > 0 && before[n - 1] === true && fits(segment, parts[n - 1]),
      );
    }
  }
  return reached.at(-1) === true;
}

/** What every name begins with that fits the pattern. */
export function literalPrefix(pattern: string): string {
  const segments = pattern.split("/");
  const wild = segments.findIndex((segment) => segment === one || segment === any);
  if (wild < 0) return literal(pattern);
  // `a/**` fits `a` too: the slash before a wildcard is no part of it.
  return literal(segments.slice(0, wild).join("/"));
}

function fits(segment: string, part: string | undefined): boolean {
  return segment === one || literal(segment) === part;
}

const literal = (text: string): string => text.replaceAll(/%2A/gi, "*");
