import type { Claimed, Phase } from "@millrace/contracts";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { McpTools } from "../mcp/open-mcp-servers.ts";
import type { ClonedRepo } from "../repos/cloned-repo.ts";
import type { Workflow } from "../repos/workflow.ts";
import type { Place } from "../tools/toolsets.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import type { Plan } from "./parse-plan.ts";

const role = "You are a software engineer who works alone in a project's workspace.";
const alone = "Nobody can answer questions while you work: decide, and say what you decided.";
const interactive =
  "Your user is not there while you work, but answers what you ask with ask_user. Ask only what is theirs to decide; find out or decide the rest, and say what you decided.";

const rules = [
  "Paths are relative to the workspace. Files with secrets, `.git` and dependency folders are not for you.",
  "A tool that refuses says why: do something else instead of calling it again unchanged.",
].join("\n");

const phaseRules: Readonly<Record<Phase, string>> = {
  plan: "You are planning. You can read, and nothing you have can change anything.",
  build:
    "You are building. Make the change, then check it by running what the project has for that. End with a short summary of what you did, for the user.",
};

interface Surroundings {
  readonly workspace: Pick<Workspace, "root" | "opened">;
  readonly mcp: Pick<McpTools, "notes">;
}

/** The system prompt: who the model is, where it is, and what is missing there. */
export function systemPrompt(
  place: Pick<Place, "phase" | "interactive">,
  { workspace, mcp }: Surroundings,
): string {
  const { missing, cloned, workflow } = workspace.opened;
  const parts = [
    `${role} ${place.interactive ? interactive : alone}`,
    `The workspace is ${workspace.root}.`,
    rules,
    phaseRules[place.phase],
    cloned ? repoNotes(cloned.repos) : "",
    missing.length > 0 ? `About this workspace:\n${missing.join("\n")}` : "",
    mcp.notes.join("\n"),
    workflow ? workflowNotes(workflow) : "",
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function repoNotes(repos: readonly ClonedRepo[]): string {
  const lines = repos.map(({ path, url, branch }) => {
    return `- ${path}/ is ${url}${branch === null ? "" : `, branch ${branch}`}`;
  });
  const about =
    "Repositories that you were given, as plain files: the workspace's own git history begins with them, and what you change is committed for you.";
  return `${about}\n${lines.join("\n")}`;
}

const workflowNotes = ({ folder, file, instructions }: Workflow): string =>
  `How your user wants you to work is in ${folder}, which your commands can read. Its ${file} says:\n\n${instructions}`;

const planInstructions = `First make a plan; do not carry it out yet. Look at what is there with the tools you have. Then answer with at most five lines of notes and the plan as JSON in a fence:

\`\`\`json
{"summary": "…", "todos": [{"id": "1", "title": "…", "details": "…", "acceptanceCriteria": ["…"]}]}
\`\`\``;

const buildInstructions =
  "Now carry out this plan. Depart from it where the files show that it is wrong.";

/** What comes before a phase's own messages. The plan's reading is not sent again: the plan is what came of it. */
export function openingMessages(
  phase: Phase,
  claimed: Pick<Claimed, "spec" | "conversation">,
  plan: Plan | undefined,
): readonly ChatCompletionMessageParam[] {
  const request = requestText(claimed.spec);
  if (phase === "plan") {
    return [
      ...claimed.conversation,
      { role: "user", content: `${request}\n\n---\n${planInstructions}` },
    ];
  }
  return [
    ...claimed.conversation,
    { role: "user", content: request },
    { role: "assistant", content: planText(plan) },
    { role: "user", content: buildInstructions },
  ];
}

function requestText(spec: Claimed["spec"]): string {
  if (spec.input === null) return spec.prompt;
  return `${spec.prompt}\n\nAdditional input:\n${JSON.stringify(spec.input, null, 2)}`;
}

function planText(plan: Plan | undefined): string {
  if (!plan) return "I have no plan.";
  return `${plan.summary}\n\n\`\`\`json\n${JSON.stringify({ todos: plan.todos }, null, 2)}\n\`\`\``;
}
