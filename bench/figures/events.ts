const messageId = "0199f1d2-7c55-7a31-9d5e-3f0f7a3c1b42";
const words = "The quick brown fox jumps over the lazy dog, and the log keeps every word of it. ";

/** A text delta of the size that a coalescing runner sends. */
export function textDelta(n: number): unknown {
  return { type: "text.delta", data: { messageId, text: `${n} ${words}` } };
}

/** `count` frames of `size` events each. */
export function textFrames(count: number, size: number): unknown[][] {
  return Array.from({ length: count }, (_, frame) =>
    Array.from({ length: size }, (_event, i) => textDelta(frame * size + i)),
  );
}
