/** Many times what the API server stores as one object. */
const longest = 32 * 1024 * 1024;

/**
 * The lines of a byte stream, without their ends. A last line without an end is a torn one and is dropped. Throws at a
 * line of more than 32 Mi characters: whoever sends that is no API server, and would be kept in memory without end.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      yield parts.join("") + line;
      parts = [];
      length = 0;
    }
    // Joined once at the line's end: an object of a megabyte comes in many chunks.
    if (rest) parts.push(rest);
    length += rest.length;
    if (length > longest) throw new RangeError(`a line of more than ${longest} characters`);
  }
}
