import {
  type AgenticSessionStatus,
  type SessionReport,
  type SessionRun,
  isOver,
} from "@millrace/contracts";
import type { Span, Tracer } from "@millrace/telemetry";
import { settle } from "../edge/edge-answer.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { isApiError } from "../kube/api-error.ts";
import { type ReconcileContext, type Requeue, settled } from "../kube/controller.ts";
import type { EventRecorder } from "../kube/event-recorder.ts";
import { type Outcome, apply } from "./apply.ts";
import { isAtRest } from "./at-rest.ts";
import type { Children } from "./children.ts";
import { decide } from "./decide.ts";
import { type Facts, startDeadline } from "./facts.ts";
import type { FirstWord } from "./first-word.ts";
import { makeRefusalReport, readPending } from "./make-report.ts";
import { makeStatus } from "./make-status.ts";
import { observe } from "./observe.ts";
import type { Plan } from "./plan.ts";
import type { RunViews } from "./run-views.ts";
import type { Refusal } from "./refusal.ts";
import { runIdOf } from "./run-id.ts";
import type { SessionSettings } from "./session-settings.ts";
import { inactiveAt } from "./wishes.ts";
import { hiddenValues } from "../session-logs/hidden-values.ts";
import type { LogKeeper } from "../session-logs/log-keeper.ts";
import { type Session, readSession } from "./session.ts";
import {
  endReconcile,
  reconcileSpan,
  reportSpan,
  traceDeletion,
  traceStart,
  wordFor,
} from "./spans.ts";
import { isNews, writeStatus } from "./write-status.ts";
import type { WrittenStatus } from "./written-status.ts";

export interface ReconcileTools {
  readonly children: Children;
  readonly edge: EdgeHttp;
  readonly runs: RunViews;
  readonly written: WrittenStatus;
  readonly firstWord: FirstWord;
  readonly recorder: EventRecorder;
  readonly settings: SessionSettings;
  readonly tracer: Tracer;
  readonly logs: LogKeeper;
  /** A connection to the platform stands. When the next one does, every session is looked at anew. */
  readonly isLinked: () => boolean;
  readonly send: (report: SessionReport, span: Span) => void;
  readonly warmed: (result: "hit" | "miss") => void;
  readonly entered: (session: Session, status: AgenticSessionStatus) => void;
}

/** One session: observe, decide, apply, report. */
export async function reconcile(
  key: string,
  { api, assertHeld, notAfter }: ReconcileContext,
  tools: ReconcileTools,
): Promise<Requeue> {
  const stored = tools.children.sessions.cache.getByKey(key);
  const cached = stored && readSession(stored);
  const session = cached && tools.written.onto(cached);
  if (!session || isAtRest(session, attemptsLeft(session, tools.children))) return settled;
  const now = Date.now();
  const seen = await viewRun(session, tools);
  const acked = tools.runs.confirmed(session.metadata.uid);
  const facts = await observe(session, {
    api,
    children: tools.children,
    now,
    run: seen.run,
    acked,
    hiddenValues: (of, attempt) => hiddenValues(of, attempt, tools.settings, api),
    keeping: (attempt, pod) => tools.logs.of(session, attempt, pod),
  });
  const plan = decide(facts);
  promise(plan, now, notAfter);
  const span = reconcileSpan(tools.tracer, facts);
  try {
    const applying = { ...tools, api, assertHeld, sawRun: tools.runs.put, span };
    const outcome = await apply(facts, plan.changes, applying);
    return unlessUnread(await report(facts, plan, outcome, { ...tools, api, span }), seen, tools);
  } catch (error) {
    span.end({ error: wordFor(error) });
    // Somebody wrote meanwhile, or it is gone: the cache will say so, and wakes this session.
    if (isApiError(error, "conflict")) return { kind: "retry", because: "conflict" };
    if (isApiError(error, "not_found") && session.metadata.deletionTimestamp) return settled;
    throw error;
  }
}

/** What comes with time alone does not wait until the platform can be told of it. */
function promise({ requeue }: Plan, now: number, notAfter: ReconcileContext["notAfter"]): void {
  if (requeue.kind === "at" && requeue.at > now) notAfter(requeue.at);
}

/** What the run asks for is not known: as long as its connection stands nobody would say when it can be asked. */
function unlessUnread(
  requeue: Requeue,
  { isUnread = false }: RunSeen,
  { isLinked }: Pick<ReconcileTools, "isLinked">,
): Requeue {
  if (!isUnread || !isLinked()) return requeue;
  return { kind: "retry", because: "the run could not be read" };
}

const attemptsLeft = ({ metadata: { uid } }: Session, { jobs, secrets }: Children): number =>
  jobs.cache.by("owner", uid).length + secrets.cache.by("owner", uid).length;

interface RunSeen {
  readonly run: SessionRun | undefined;
  /** The edge was asked and did not answer. */
  readonly isUnread?: boolean;
}

/** The run as it was last told; asked for by a process that does not know it yet, and before it counts as silent. */
async function viewRun(session: Session, { edge, runs }: ReconcileTools): Promise<RunSeen> {
  const runId = session.status?.runId ?? runs.idOfSession(session.metadata.uid);
  if (runId === undefined) return { run: undefined };
  const known = runs.get(runId);
  // The platform tells what a run has come to, not each of its events: only it knows whether one is silent.
  if (known && Date.now() < inactiveAt({ session, run: known })) return { run: known };
  const answer = await edge.readRun(runId);
  // Without the edge pods are still watched; what they come to waits in the status.
  if (!answer.ok && answer.code === "unreachable") return { run: undefined, isUnread: true };
  const run = settle(answer, "read the run");
  // Who asked looks at the answer: nobody needs to be woken.
  if (run) runs.keep(run);
  return { run };
}

/** At most one write, and none when nothing has changed. Reports leave only once they are stored. */
async function report(
  facts: Facts,
  plan: Plan,
  outcome: Outcome,
  tools: ReconcileTools & { readonly api: ReconcileContext["api"]; readonly span: Span },
): Promise<Requeue> {
  const { session } = facts;
  const { span, tracer } = tools;
  if (plan.changes.some(({ kind }) => kind === "remove-finalizer")) {
    endReconcile(span, plan.status, settled);
    traceDeletion(tracer, facts);
    return settled;
  }
  const status = statusOf(facts, plan, outcome);
  const until = tools.firstWord.waitsUntil(session, status, facts.now);
  const written = until === undefined && isNews(session.status, status);
  if (written) {
    const { version = session.metadata.resourceVersion } = outcome;
    const done = await writeStatus(tools.api, session, { status, version });
    tools.written.wrote(session, status, done);
    tools.entered(session, status);
    traceStart(tracer, facts, status);
  }
  sendReports(status, tools);
  const requeue = requeueOf(facts, plan, outcome, until);
  if (written || plan.changes.length > 0) endReconcile(span, status, requeue);
  return requeue;
}

function sendReports(
  { reports = [] }: AgenticSessionStatus,
  { send, span }: Pick<ReconcileTools, "send"> & { readonly span: Span },
): void {
  for (const pending of reports) {
    const message = readPending(pending);
    if (message) send(message, reportSpan(span, message));
  }
}

/** A quota frees up when others end; nothing tells when. */
const lookAgainMs = 15_000;

/** `unsaidUntil`: when the status is to be written that was not written now. */
function requeueOf(
  facts: Facts,
  plan: Plan,
  { refusal }: Outcome,
  unsaidUntil: number | undefined,
): Requeue {
  if (unsaidUntil !== undefined) return { kind: "at", at: unsaidUntil };
  if (!refusal) return plan.requeue;
  if (!mayPass(facts, refusal)) return { kind: "at", at: facts.now };
  return { kind: "at", at: Math.min(facts.now + lookAgainMs, startDeadline(facts)) };
}

/** What another attempt may find otherwise, this one may as well, as long as it has time. */
function mayPass(facts: Facts, { retryable }: Refusal): boolean {
  return retryable && facts.attempt > 0 && facts.now < startDeadline(facts);
}

function statusOf(
  facts: Facts,
  plan: Plan,
  { run, refusal, sent = [] }: Outcome,
): AgenticSessionStatus {
  if (refusal) return refusedStatus(facts, refusal);
  const { sentMessages = [] } = plan.status;
  const status =
    sent.length === 0 ? plan.status : { ...plan.status, sentMessages: [...sentMessages, ...sent] };
  if (!run || isOver(run.status)) return status;
  return { ...status, runId: run.runId, url: run.url };
}

/** Of an attempt it is the end; of a run that there is not yet, of the session. */
function refusedStatus(facts: Facts, refusal: Refusal): AgenticSessionStatus {
  const { attempt } = facts;
  const { reason, message } = refusal;
  const runId = runIdOf(facts);
  if (runId === undefined || attempt === 0) {
    return makeStatus(facts, { phase: "Failed", reason, message });
  }
  if (mayPass(facts, refusal)) return makeStatus(facts, { phase: "Creating", reason, message });
  const reports = [makeRefusalReport(facts, runId, refusal)];
  const ended = { attempt, endedAttempt: attempt, reports };
  return makeStatus(facts, { phase: "Pending", reason, message }, ended);
}
