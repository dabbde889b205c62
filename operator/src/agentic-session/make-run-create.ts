import { SessionRunCreate } from "@millrace/contracts";
import { z } from "zod";
import { needsOwnPod } from "./needs-own-pod.ts";
import type { Session } from "./session.ts";

export type RunCreate =
  | { readonly ok: true; readonly value: z.input<typeof SessionRunCreate> }
  | { readonly ok: false; readonly message: string };

/** The run that a session of the cluster asks for: the same session asks for the same one, always. */
export function makeRunCreate(session: Session): RunCreate {
  const { spec } = session;
  const { name, namespace, uid } = session.metadata;
  const value: z.input<typeof SessionRunCreate> = {
    prompt: spec.prompt,
    session: { uid, namespace, name },
    owner: (spec.owner ?? `namespace:${namespace}`).slice(0, 253),
    thread: spec.threadId ?? null,
    displayName: spec.displayName || null,
    needsOwnPod: needsOwnPod(spec),
    ...modelOf(session),
    interactive: spec.interactive,
    keepOpen: !spec.stopOnRunFinished,
    repos: (spec.repos ?? []).map(({ branch = null, ...repo }) => ({ ...repo, branch })),
    timeoutSeconds: Math.min(spec.timeoutSeconds, longestSeconds),
    startDeadlineSeconds: Math.min(spec.startDeadlineSeconds, longestSeconds),
  };
  const parsed = SessionRunCreate.safeParse(value);
  if (parsed.success) return { ok: true, value };
  return { ok: false, message: z.prettifyError(parsed.error) };
}

const modelOf = ({ spec: { model } }: Session) => ({
  provider: model?.provider ?? null,
  model: model?.name ?? null,
});

/** The platform's own bound on a run. */
const longestSeconds = 7 * 86_400;
