/** A column's rule needs a dash and a colon, also where all its cells are empty. */
const minWidth = 2;

/** A Markdown table with columns of one width each; the first `left` of them are aligned to the left. */
export function formatRows(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  left: number,
): string {
  const widths = heads.map((head, i) =>
    Math.max(minWidth, ...[head, ...rows.map((row) => row[i] ?? "")].map((cell) => cell.length)),
  );
  const pad = (cell: string, i: number): string =>
    i < left ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, i) =>
    i < left ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(heads), line(rule), ...rows.map(line)].join("\n");
}
