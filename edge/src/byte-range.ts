export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The one range that a `Range` header asks for; undefined when the whole is the answer (RFC 9110, 14.2). */
export function byteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined) return undefined;
  if (first === "") return suffix(Number(last), size);
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return offset <= end ? { offset, length: end - offset + 1 } : undefined;
}

function suffix(length: number, size: number): ByteRange | undefined {
  if (length === 0 || size === 0) return undefined;
  const taken = Math.min(length, size);
  return { offset: size - taken, length: taken };
}
