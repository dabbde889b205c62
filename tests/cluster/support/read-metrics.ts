/** Values of a Prometheus page, summed over the series of a name whose labels are at least these. */
export type Metrics = (name: string, labels?: Readonly<Record<string, string>>) => number;

export function readMetrics(page: string): Metrics {
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return (name, labels = {}) => {
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const found = lines.filter(
      (line) =>
        (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) &&
        wanted.every((label) => line.includes(label)),
    );
    return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  };
}
