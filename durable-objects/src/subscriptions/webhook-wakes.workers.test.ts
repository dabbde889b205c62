import { describe, expect, it } from "vitest";
import { TestOrg } from "../testing/test-subscriptions.ts";
import type { TakenWake } from "./subscriptions-rpc.ts";

const id = "s";
const end = (tail: number, name = "events/a") => ({ name, streamId: `id of ${name}`, tail });

async function subscribed(): Promise<TestOrg> {
  const org = new TestOrg();
  await org.restarted((object) => object.put(id, org.wish()));
  return org;
}

const tell = (org: TestOrg, tail: number, name?: string) =>
  org.restarted((object) => object.streamTold(end(tail, name)));

const view = (org: TestOrg) => org.restarted((object) => object.view(id));

/** The current wake, which must be there to be told. */
async function taken(org: TestOrg, generation: number): Promise<TakenWake> {
  const wake = await org.restarted((object) => object.takeWake(id, generation));
  if (wake === null) throw new Error(`there is no wake ${generation} to take`);
  return wake;
}

const later = async (org: TestOrg) => {
  await org.makeDue();
  await org.restarted((object) => object.alarm());
};

const message = (org: TestOrg, generation: number) => ({
  wake: { orgId: org.orgId, subscriptionId: id, generation },
});

describe("a wake", () => {
  it("is told by whoever comes first, however often the queue says so", async () => {
    const org = await subscribed();
    await tell(org, 2);
    expect(org.sent).toEqual([message(org, 1)]);
    const wake = await taken(org, 1);
    expect(wake.streams).toEqual([{ name: "events/a", isExplicit: false, acked: 0, tail: 2 }]);
    expect(await org.restarted((object) => object.takeWake(id, 1))).toBeNull();
  });

  it("is asked for by the alarm when the object died before it asked the queue", async () => {
    const org = await subscribed();
    org.isQueueAway = true;
    await tell(org, 1);
    expect(org.sent).toEqual([]);
    org.isQueueAway = false;
    await later(org);
    expect(org.sent).toEqual([message(org, 1)]);
    expect((await taken(org, 1)).generation).toBe(1);
  });

  it("is asked for again when the queue lost the message", async () => {
    const org = await subscribed();
    await tell(org, 1);
    await later(org);
    expect(org.sent).toEqual([message(org, 1), message(org, 1)]);
  });

  it("stays as it was made while its receiver is down, and what came since is another", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const first = await taken(org, 1);
    await org.restarted((object) => object.wakeTold(id, first.wakeId, "failed"));
    await tell(org, 5);
    expect(await org.restarted((object) => object.takeWake(id, 1))).toBeNull();
    expect((await view(org))?.isFailing).toBe(true);
    await later(org);
    const again = await taken(org, 1);
    expect({ ...again, token: "" }).toEqual({ ...first, token: "" });
    await org.restarted((object) => object.wakeTold(id, again.wakeId, "done"));
    expect((await view(org))?.streams).toMatchObject([{ acked: 1, tail: 5 }]);
    expect((await view(org))?.isFailing).toBe(false);
    expect((await taken(org, 2)).streams).toMatchObject([{ acked: 1, tail: 5 }]);
  });

  it("is told again when whoever told it died in the middle", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const { wakeId } = await taken(org, 1);
    await later(org);
    await later(org);
    expect((await taken(org, 1)).wakeId).toBe(wakeId);
  });

  it("of a slow receiver is over when its lease is: what it says then changes nothing", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const old = await taken(org, 1);
    await org.restarted((object) => object.wakeTold(id, old.wakeId, "accepted"));
    await later(org);
    await org.restarted((object) => object.wakeTold(id, old.wakeId, "done"));
    const { wakeId, generation, token } = old;
    const ack = { type: "webhook", wakeId, generation, token, done: true } as const;
    const acks = [{ name: "events/a", seq: 1 }];
    expect(await org.restarted((object) => object.ack(id, { ...ack, acks }))).toEqual({
      ok: false,
      code: "fenced",
    });
    expect((await view(org))?.streams).toMatchObject([{ acked: 0 }]);
    await later(org);
    expect((await taken(org, 2)).wakeId).not.toBe(wakeId);
  });

  it("may be acknowledged before its receiver has answered", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const { wakeId, generation, token } = await taken(org, 1);
    const proof = { wakeId, generation, token };
    const ack = { ...proof, type: "webhook", acks: [{ name: "events/a", seq: 1 }] } as const;
    const answer = await org.restarted((object) => object.ack(id, { ...ack, done: true }));
    expect(answer).toEqual({ ok: true, nextWake: false });
    await org.restarted((object) => object.wakeTold(id, wakeId, "accepted"));
    await tell(org, 2);
    expect((await taken(org, 2)).generation).toBe(2);
  });

  it("goes with the streams that it is about", async () => {
    const org = await subscribed();
    await tell(org, 1);
    await org.restarted((object) => object.streamRemoved("events/a", "id of events/a"));
    expect(await org.restarted((object) => object.takeWake(id, 1))).toBeNull();
    expect((await view(org))?.streams).toEqual([]);
  });
});

it("a stream with the name of one whose removal was lost is read from its start", async () => {
  const org = await subscribed();
  await tell(org, 3);
  const { wakeId } = await taken(org, 1);
  await org.restarted((object) => object.wakeTold(id, wakeId, "done"));
  const successor = { ...end(1), streamId: "another" };
  await org.restarted((object) => object.streamTold(successor));
  expect((await view(org))?.streams).toMatchObject([{ acked: 0, tail: 1 }]);
  // Told after all, by the one before.
  await org.restarted((object) => object.streamRemoved("events/a", end(3).streamId));
  expect((await taken(org, 2)).streams).toMatchObject([{ acked: 0, tail: 1 }]);
});

describe("a subscription", () => {
  it("confirmed once more asks its receiver at once", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const { wakeId } = await taken(org, 1);
    await org.restarted((object) => object.wakeTold(id, wakeId, "failed"));
    const again = await org.restarted((object) => object.put(id, org.wish()));
    expect(again).toMatchObject({ ok: true, created: false });
    expect((await taken(org, 1)).wakeId).toBe(wakeId);
  });

  it("is refused when the org has as many as it may have", async () => {
    const org = new TestOrg();
    const answers = await org.restarted(async (object) => {
      const all = Array.from({ length: 101 }, (_, n) => object.put(`s${n}`, org.wish()));
      return Promise.all(all);
    });
    expect(answers.filter(({ ok }) => ok)).toHaveLength(100);
    expect(answers.at(-1)).toEqual({ ok: false, code: "too_many" });
  });

  it("deleted and made anew takes no token of the one before", async () => {
    const org = await subscribed();
    await tell(org, 1);
    const { wakeId, generation, token } = await taken(org, 1);
    await org.restarted((object) => object.remove(id));
    await org.restarted((object) => object.put(id, org.wish()));
    const ack = { type: "webhook", wakeId, generation, token, acks: [], done: true } as const;
    const refused = { ok: false, code: "token_invalid" };
    expect(await org.restarted((object) => object.ack(id, ack))).toEqual(refused);
    const other = await subscribed();
    expect(await other.restarted((object) => object.ack(id, ack))).toEqual(refused);
  });
});
