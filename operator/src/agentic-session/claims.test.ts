import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import type { Claim, Facts } from "./facts.ts";
import { makeClaim, makeClaimPatch } from "./resources/make-claim.ts";
import type { Session } from "./session.ts";
import { at, began, makeFacts, makeRun, makeSession, runId } from "./testing/make-facts.ts";

type Wish = "Delete" | "Retain";

const storage = { size: "1Gi", mode: "persistent" } as const;
const deletion = { deletionTimestamp: at(began) };

const sessionOf = (workspace: Wish, metadata: Partial<Session["metadata"]> = {}): Session =>
  makeSession({
    spec: { storage, retention: { logs: 7, workspace } },
    status: { runId, attempt: 1, endedAttempt: 1 },
    metadata,
  });

/** As the API server stores what is made for such a session. */
function claimOf(session: Session, metadata: Partial<Claim["metadata"]> = {}): Claim {
  const draft = makeClaim(session);
  const stored = {
    namespace: "team",
    uid: "c1",
    resourceVersion: "1",
    creationTimestamp: at(began),
  };
  return {
    ...draft,
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { ...draft.metadata, ...stored, ...metadata },
  };
}

const over = { job: undefined, pod: undefined, secret: undefined };
const done = makeRun({ status: "succeeded", completedAt: began });
const kindsOf = (facts: Partial<Facts>) =>
  decide(makeFacts({ ...over, run: done, ...facts })).changes.map(({ kind }) => kind);

describe("the volume of a session", () => {
  it.each([
    ["goes with it", "Delete", "Delete", []],
    ["stays", "Retain", "Retain", []],
    ["is to stay after all", "Delete", "Retain", ["own-claim"]],
    ["is to go after all", "Retain", "Delete", ["own-claim"]],
  ] as const)("%s: made for %s, wanted %s", (_, made, wanted, expected) => {
    const claim = claimOf(sessionOf(made));
    expect(kindsOf({ session: sessionOf(wanted), claim })).toEqual(expected);
  });

  it("is what the session says at its end, before it goes", () => {
    const claim = claimOf(sessionOf("Delete"));
    const kinds = kindsOf({ session: sessionOf("Retain", deletion), claim });
    expect(kinds).toEqual(["own-claim", "revoke-tokens", "tell", "remove-finalizer"]);
    const kept = claimOf(sessionOf("Retain"));
    const ends = ["revoke-tokens", "remove-finalizer"];
    expect(kindsOf({ session: sessionOf("Delete", deletion), claim: kept })).toEqual([
      "own-claim",
      ...ends,
    ]);
  });

  it("has an owner exactly when it is to go", () => {
    const owner = { ownerReferences: [expect.objectContaining({ controller: true })] };
    expect(makeClaimPatch(sessionOf("Delete"))).toEqual({ metadata: owner });
    expect(makeClaimPatch(sessionOf("Retain"))).toEqual({ metadata: { ownerReferences: null } });
    expect(makeClaim(sessionOf("Delete")).metadata).toMatchObject(owner);
    expect(makeClaim(sessionOf("Retain")).metadata).not.toHaveProperty("ownerReferences");
  });

  it("is left alone where an earlier session of the name wanted it kept", () => {
    const claim = claimOf(sessionOf("Retain", { uid: "earlier" }));
    expect(kindsOf({ session: sessionOf("Delete"), claim })).toEqual([]);
    expect(kindsOf({ session: sessionOf("Retain", deletion), claim })).not.toContain("tell");
  });

  it.each([
    ["that an earlier session takes along", claimOf(sessionOf("Delete", { uid: "earlier" }))],
    ["that is being deleted", claimOf(sessionOf("Delete"), deletion)],
  ])("%s is waited for, and not used", (_, claim) => {
    const { spec } = sessionOf("Delete");
    const session = makeSession({ spec, status: { runId } });
    const { status, changes } = decide(makeFacts({ ...over, session, claim }));
    expect(`${status.phase}/${status.reason}`).toBe("Pending/VolumeInUse");
    expect(changes.map(({ kind }) => kind)).not.toContain("start-attempt");
  });
});
