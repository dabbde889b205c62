import { EdgeKnobs } from "./settings.ts";

const knobs = [
  ["PORT", "the edge's port (8787)"],
  ["HOST", "the address it listens on (127.0.0.1)"],
  ["AGENT_API_KEY", "the first API key (generated, kept in STATE_DIR, printed)"],
  ["POOL_TOKEN", "lets runners join (generated, kept in STATE_DIR)"],
  ["STATE_DIR", "local state, made 0700 (.state)"],
  ["WORKSPACE_ROOT", "one directory per project (.workspaces, or STATE_DIR-workspaces)"],
] as const;

/** What `--help` prints of the launcher's own knobs. */
export function knobsHelp(command: string): string {
  return [
    `${command}: settings come from the environment or from .env in the checkout.`,
    "",
    ...knobs.map(([name, text]) => `  ${name.padEnd(20)} ${text}`),
    ...Object.entries(EdgeKnobs.shape).map(
      ([name, schema]) => `  ${name.padEnd(20)} ${schema.description ?? ""}`,
    ),
    "",
    "The runner's own, provider keys among them: npm run runner -- --help",
    "",
  ].join("\n");
}
