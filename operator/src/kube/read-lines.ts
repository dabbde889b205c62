/** The lines of a byte stream, without their ends. A last line without an end is a torn one and is dropped. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  for await (const chunk of body) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      yield parts.join("") + line;
      parts = [];
    }
    // Joined once at the line's end: an object of a megabyte comes in many chunks.
    if (rest) parts.push(rest);
  }
}
