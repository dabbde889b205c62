import type { AgenticSessionStatus } from "@millrace/contracts";
import type { Attributes, Span, Tracer } from "@millrace/telemetry";
import { describe, expect, it } from "vitest";
import { edgeRunLabel } from "./resources/make-edge-session.ts";
import { annotations } from "./resources/annotations.ts";
import { traceDeletion, traceStart, traceparentOfSession } from "./spans.ts";
import { at, began, makeFacts, makeRun, makeSecret, makeSession } from "./testing/make-facts.ts";

const told = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

interface Seen {
  readonly name: string;
  readonly parent: string | null;
  readonly from: number | undefined;
  readonly attributes: Attributes | undefined;
  readonly events: string[];
  end?: { readonly error?: string; readonly at?: number } | undefined;
}

/** A tracer that shows what it was told. */
function recordSpans(): { readonly tracer: Tracer; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const tracer: Tracer = {
    span: (name, parent, start) => {
      const { at: from, attributes } = start ?? {};
      const one: Seen = { name, parent, from, attributes, events: [] };
      seen.push(one);
      const span: Span = {
        child: () => span,
        set: () => undefined,
        event: (event) => void one.events.push(event),
        end: (end = {}) => void (one.end = end),
      };
      return span;
    },
  };
  return { tracer, seen };
}

const connected = (status: "True" | "False"): AgenticSessionStatus => ({
  phase: "Running",
  attempt: 1,
  conditions: [
    { type: "RunnerConnected", status, reason: "x", message: "", lastTransitionTime: at(began) },
  ],
});

describe("the trace of a session", () => {
  it("is made of its uid, until its run says otherwise", () => {
    const session = makeSession({});
    const own = traceparentOfSession({ session, run: undefined, secret: undefined });
    expect(own).toBe(`00-${session.metadata.uid.replaceAll("-", "")}-8000000000000001-01`);
    const run = makeRun({ traceparent: told });
    expect(traceparentOfSession({ session, run, secret: undefined })).toBe(told);
  });

  it("is its run's where the edge made it: nothing before that is known", () => {
    const session = makeSession({ metadata: { labels: { [edgeRunLabel]: "r" } } });
    expect(traceparentOfSession({ session, run: undefined, secret: undefined })).toBeNull();
    const secret = makeSecret({ [annotations.traceparent]: told });
    expect(traceparentOfSession({ session, run: undefined, secret })).toBe(told);
  });
});

describe("the span of a start", () => {
  it("ends when the runner has connected, once", () => {
    const { tracer, seen } = recordSpans();
    const facts = makeFacts({ secret: makeSecret({}), run: makeRun({ traceparent: told }) });
    traceStart(tracer, facts, connected("False"));
    expect(seen).toEqual([]);
    traceStart(tracer, facts, connected("True"));
    expect(seen).toMatchObject([
      { name: "start attempt", parent: told, from: began, end: { at: facts.now } },
    ]);
    const session = makeSession({ status: connected("True") });
    traceStart(tracer, { ...facts, session }, connected("True"));
    expect(seen).toHaveLength(1);
    traceStart(tracer, { ...facts, session }, { ...connected("True"), attempt: 2 });
    expect(seen).toHaveLength(2);
  });

  it("says how the start failed, when that is reported first", () => {
    const { tracer, seen } = recordSpans();
    const facts = makeFacts({ secret: makeSecret({}), run: makeRun() });
    const key = `${facts.session.metadata.uid}/${facts.attempt}/start_failed`;
    const status = { phase: "Pending", reason: "ImagePullFailed", reports: [{ key, body: "{}" }] };
    traceStart(tracer, facts, status as AgenticSessionStatus);
    expect(seen).toMatchObject([{ end: { error: "ImagePullFailed" } }]);
    const session = makeSession({ status: status as AgenticSessionStatus });
    traceStart(tracer, { ...facts, session }, status as AgenticSessionStatus);
    expect(seen).toHaveLength(1);
  });
});

it("a deletion's span begins with the wish", () => {
  const { tracer, seen } = recordSpans();
  traceDeletion(tracer, makeFacts({}));
  expect(seen).toEqual([]);
  const session = makeSession({ metadata: { deletionTimestamp: at(began) } });
  traceDeletion(tracer, makeFacts({ session }));
  expect(seen).toMatchObject([{ name: "delete session", from: began, end: {} }]);
});
