import type { Contender, ContenderName, Contest, Turns } from "./contender.ts";
import { summarise, type Comparison, type Sample } from "./summarise.ts";

/** Every contender once a round, in turns whose first one moves on by one each round. */
export async function holdContest<Service extends Contender>(
  contest: Contest<Service>,
  services: readonly Service[],
  rounds: number,
  progress: (line: string) => void,
): Promise<Comparison[]> {
  const opened: {
    readonly name: ContenderName;
    readonly turns: Turns;
    readonly samples: Sample[];
  }[] = [];
  for (const service of services) {
    progress(`${contest.name}: preparing ${service.name}`);
    opened.push({ name: service.name, turns: await contest.open(service), samples: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, turns, samples } of rotate(opened, round)) {
      const sample = await turns.measure();
      samples.push(sample);
      progress(`${contest.name}: round ${round + 1}/${rounds}, ${name} ${describe(sample)}`);
    }
  }
  for (const { turns } of opened) await turns.close();
  const samples = new Map(opened.map((entry) => [entry.name, entry.samples]));
  return summarise(contest.metrics, samples);
}

/** The list from its `by`-th member on, and then those before. */
function rotate<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function describe(sample: Sample): string {
  return Object.entries(sample)
    .map(([key, value]) => `${key} ${value.toPrecision(4)}`)
    .join(" ");
}
