import type { Claimed, RunnerEvent } from "@millrace/contracts";
import { within } from "@millrace/telemetry";
import { nameDirectories } from "../repos/repo-address.ts";
import type { Belongings } from "./finish.ts";
import { findStep } from "./transcript.ts";

export const commitMessage = ({ runId }: Pick<Claimed["spec"], "runId">): string =>
  `chore(agent): apply run ${runId}`;

/**
 * Pushes the repositories that say so, in one step: a later attempt does not push again, and one that was cut off in
 * between pushes the same commits. A push that fails is told and fails nothing else: the files are in the archive.
 */
export async function pushRepos({
  workspace,
  journal,
  spec,
  stop,
  span,
}: Belongings): Promise<void> {
  const wanted = new Set(autoPushed(spec.repos));
  const repos = workspace.opened.cloned?.repos.filter(({ path }) => wanted.has(path)) ?? [];
  if (repos.length === 0 || findStep(journal.steps, "pushed")) return;
  const push = async (repo: (typeof repos)[number]): Promise<RunnerEvent> => {
    const commit = { message: commitMessage(spec), at: spec.createdAt, signal: stop };
    const data = await workspace.push(repo, commit);
    return { type: "workspace.pushed", data };
  };
  const pushed = await within(span.child("push"), () => Promise.all(repos.map(push)));
  await journal.record(pushed, { kind: "pushed" });
}

function autoPushed(repos: Claimed["spec"]["repos"]): readonly string[] {
  const paths = nameDirectories(repos.map(({ url }) => url));
  return paths.filter((_, at) => repos[at]?.autoPush === true);
}
