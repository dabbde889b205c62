import type { ScenarioInput } from "../support/model-server/scenario.ts";
import type { Random } from "./random.ts";

/** What a model is to do in one run, and every message that it may say. */
export interface Play {
  readonly scenario: ScenarioInput;
  readonly messages: readonly string[];
}

const plan = `First I plan.\n\n\`\`\`json\n{"summary":"Do it.","todos":[]}\n\`\`\`\n`;
const last = "Done.";

/** Commands that each leave a mark of their own where they are executed, and say so; and words between them. */
export function makePlay(random: Random, key: string): Play {
  const turns = Array.from({ length: random.between(1, 5) }, (_, index) => {
    const text = `Step ${index}: thinking about what comes next. `;
    return {
      text: random.chance(70) ? text : "",
      repeatText: random.chance(35) ? random.between(2, 40) : 1,
      tokenDelayMs: random.between(0, 15),
      toolCalls: [{ name: "run_command", arguments: { command: commandOf(random, key, index) } }],
    };
  });
  const said = turns.map(({ text, repeatText }) => text.repeat(repeatText));
  return {
    scenario: { plan: [{ text: plan }], build: [...turns, { text: last }] },
    messages: [plan, ...said, last],
  };
}

/** Its lines are shown while it runs, so that a frame on its way carries only a part of it. */
function commandOf(random: Random, key: string, index: number): string {
  const mark = `${key}-${index}`;
  const seconds = (random.between(0, 12) / 10).toFixed(1);
  const noise = random.chance(10) ? `; head -c 90000 /dev/zero | tr '\\0' y` : "";
  const trace = `echo "${mark} $(date +%s%3N)" >> "$HOME/trace"`;
  return `: mark ${mark}; ${trace}; echo begin-${index}; sleep ${seconds}${noise}; echo end-${index}`;
}
