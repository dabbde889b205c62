/** A Markdown table with columns of one width each; the first `left` of them are aligned to the left. */
export function formatRows(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  left: number,
): string {
  const widths = heads.map((head, i) =>
    Math.max(...[head, ...rows.map((row) => row[i] ?? "")].map((cell) => cell.length)),
  );
  const pad = (cell: string, i: number): string =>
    i < left ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, i) =>
    i < left ? "-".repeat(width) : `${"-".repeat(Math.max(0, width - 1))}:`,
  );
  return [line(heads), line(rule), ...rows.map(line)].join("\n");
}
