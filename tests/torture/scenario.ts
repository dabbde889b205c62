import type { ScenarioInput } from "../support/model-server/scenario.ts";
import type { Random } from "./random.ts";

/** What a model is to do in one run: commands that each leave a mark of their own where they are executed, and words. */
export function makeScenario(random: Random, key: string): ScenarioInput {
  const turns = Array.from({ length: random.between(1, 5) }, (_, index) => {
    const mark = `${key}-${index}`;
    const seconds = (random.between(0, 12) / 10).toFixed(1);
    const noise = random.chance(10) ? `; head -c 90000 /dev/zero | tr '\\0' y` : "";
    const line = `: mark ${mark}; echo "${mark} $(date +%s%3N)" >> "$HOME/trace"; sleep ${seconds}${noise}`;
    return {
      text: random.chance(50) ? `Step ${index}: thinking about what comes next. ` : "",
      repeatText: random.chance(10) ? 40 : 1,
      tokenDelayMs: random.between(0, 15),
      toolCalls: [{ name: "run_command", arguments: { command: line } }],
    };
  });
  return { build: [...turns, { text: "Done." }] };
}
