/** What tools may take and give. Everything that reaches a model or an event is bounded here. */
export const toolBounds = {
  /** Most that one tool result may hold, for the event as for the model. */
  outputChars: 64 * 1024,
  /** Most that is kept of each stream of a command, so that both fit into a file that can be read. */
  spoolChars: 8 * 1024 * 1024,
  chunkChars: 2_000,
  commandLabelChars: 200,
  readMaxBytes: 20 * 1024 * 1024,
  readDefaultLines: 2_000,
  lineChars: 2_000,
  editMaxBytes: 5 * 1024 * 1024,
  listMaxEntries: 1_000,
  grepMaxMatches: 200,
  grepLineChars: 500,
  /** Not below readMaxBytes: a file that is too long to be read is one to search. */
  grepMaxFileBytes: 20 * 1024 * 1024,
  searchTimeoutMs: 15_000,
  patternChars: 1_000,
} as const;

/** The start of a text, with a note when something was left out. */
export function cutTail(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${text.slice(0, maxChars)}\n[cut: ${text.length - maxChars} more characters]`;
}
