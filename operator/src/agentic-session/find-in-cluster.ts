import {
  type Facts,
  type Finding,
  type Warning,
  isConnected,
  startDeadline,
  wasStarted,
} from "./facts.ts";
import { inPod } from "./find-in-pod.ts";
import { isPodOver, unscheduled } from "./pod-facts.ts";

type Find = (facts: Facts) => Finding | undefined;

export const namespaceTerminating: Find = (facts) => {
  const told = warningOf(facts, "job", /is being terminated/);
  if (!facts.isNamespaceTerminating && !told) return undefined;
  const { namespace } = facts.session.metadata;
  return inPod(facts, `Namespace ${namespace} is being deleted`);
};

export const secretMissing: Find = (facts) =>
  facts.secretProblem === undefined || facts.pod
    ? undefined
    : inPod(facts, facts.secretProblem, { detail: facts.secretProblem });

export const deadlineExceeded: Find = (facts) => {
  const { run, session } = facts;
  const seconds = session.spec.timeoutSeconds;
  const message = `The run took longer than its ${seconds} s`;
  if (isPastDeadline(facts)) return inPod(facts, message);
  if (!run || run.startedAt === null || !wasMade(facts)) return undefined;
  return inPod(facts, message, { failsAt: run.startedAt + run.waitedMs + seconds * 1000 });
};

/** What executes the attempt is there: its Job, or the warm pod in place of it. */
const wasMade = ({ job, warmPod }: Facts): boolean => job !== undefined || warmPod !== undefined;

/** Kubernetes itself ended it. */
function isPastDeadline({ job, pod }: Facts): boolean {
  const failed = job?.status?.conditions?.find(
    ({ type, status }) => type === "Failed" && status === "True",
  );
  return [failed?.reason, pod?.status?.reason].includes("DeadlineExceeded");
}

const quotaWords = /exceeded quota|failed quota/;
const denialWords = /forbidden|denied|admission|violates|is invalid/i;

export const quotaExceeded: Find = (facts) => {
  if (facts.pod) return undefined;
  const told = warningOf(facts, "job", quotaWords);
  if (!told) return undefined;
  return inPod(facts, `The namespace's quota leaves no room: ${told.note}`, {
    detail: told.note,
    failsAt: startDeadline(facts),
  });
};

export const admissionDenied: Find = (facts) => {
  if (facts.pod) return undefined;
  const told = warningOf(facts, "job", denialWords);
  if (!told || quotaWords.test(told.note)) return undefined;
  return inPod(facts, `The cluster's policies refuse the pod: ${told.note}`, { detail: told.note });
};

export const jobDeleted: Find = (facts) => {
  if (wasMade(facts) || facts.stopBy !== undefined || !wasStarted(facts)) return undefined;
  if (facts.pod && !isPodOver(facts.pod)) return undefined;
  return inPod(facts, "The session's Job was deleted");
};

export const secretDeleted: Find = (facts) =>
  facts.secret || !wasMade(facts) || !wasStarted(facts)
    ? undefined
    : inPod(facts, "The Secret with the run token was deleted");

export const volumeNotBound: Find = (facts) => {
  const { claim, pod } = facts;
  const scheduler = unscheduled(pod);
  const isWaited = scheduler !== undefined && /persistentvolumeclaim|volume/i.test(scheduler);
  const isPending = claim !== undefined && claim.status?.phase !== "Bound";
  if (!isWaited || !isPending) return undefined;
  const detail = warningOf(facts, "claim", /./)?.note ?? scheduler;
  return inPod(facts, `The volume is not bound: ${detail}`, {
    detail,
    failsAt: startDeadline(facts),
  });
};

export const volumeNotMounted: Find = (facts) => {
  if (isConnected(facts) || isPodOver(facts.pod)) return undefined;
  const told = facts.warnings.find(
    ({ about, reason }) =>
      about === "pod" && (reason === "FailedMount" || reason === "FailedAttachVolume"),
  );
  if (!told) return undefined;
  return inPod(facts, `A volume cannot be mounted: ${told.note}`, {
    detail: told.note,
    failsAt: startDeadline(facts),
  });
};

/** Whatever else may be the matter: this bounds the start. */
export const notConnected: Find = (facts) => {
  if (!wasMade(facts) || isConnected(facts) || isPodOver(facts.pod)) return undefined;
  const seconds = facts.session.spec.startDeadlineSeconds;
  return inPod(facts, `The runner did not connect within ${seconds} s`, {
    failsAt: startDeadline(facts),
  });
};

function warningOf(
  { warnings }: Facts,
  about: Warning["about"],
  words: RegExp,
): Warning | undefined {
  return warnings.find((warning) => warning.about === about && words.test(warning.note));
}
