import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { TestOrg } from "../testing/test-subscriptions.ts";
import type { ClaimAnswer } from "./subscriptions-rpc.ts";

const id = "s";
const wakeStream = "wake";
const pull = { type: "pull-wake", wakeStream } as const;
const patience = 10_000;

async function subscribed(org = new TestOrg()): Promise<TestOrg> {
  await org.create(wakeStream);
  await org.own.put(id, org.wish({ target: pull }));
  return org;
}

type Claimed = Extract<ClaimAnswer, { readonly ok: true }>;

async function claimed(org: TestOrg): Promise<Claimed> {
  return vi.waitFor(async () => {
    const answer = await org.own.claim(id, "worker");
    if (!answer.ok) throw new Error(answer.code);
    return answer;
  }, patience);
}

const ackOf = ({ wakeId, generation, token }: Claimed, name: string, seq: number) =>
  ({ wakeId, generation, token, type: "pull-wake", acks: [{ name, seq }], done: true }) as const;

async function wakeEvents(org: TestOrg): Promise<string> {
  const answer = await org.stream(wakeStream).read(0, 1_000_000);
  return answer.ok ? answer.rows : "";
}

const countOf = (text: string, part: string): number => text.split(part).length - 1;

describe("a stream", () => {
  it("is found by pattern when it is created, from its first message on", async () => {
    const org = await subscribed();
    await org.create("events/a", 1, 2);
    await org.create("other/a", 1);
    expect((await claimed(org)).streams).toEqual([
      { name: "events/a", isExplicit: false, acked: 0, tail: 2 },
    ]);
  });

  it("that is there already is followed from its end, and tells of what it is given", async () => {
    const org = new TestOrg();
    await org.create("events/a", 1, 2);
    await org.create("named", 1);
    await org.create(wakeStream);
    // A first append waits until the stream is known.
    for (const name of ["events/a", "named"]) await org.append(name);
    await org.own.put(id, org.wish({ target: pull, streams: ["named"] }));
    expect(await org.own.claim(id, "w")).toEqual({ ok: false, code: "no_pending_work" });
    await org.append("named");
    expect((await claimed(org)).streams).toEqual([
      { name: "named", isExplicit: true, acked: 2, tail: 3 },
      { name: "events/a", isExplicit: false, acked: 3, tail: 3 },
    ]);
  });

  it("that one subscription hears of first is offered to the patterns of others", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    await claimed(org);
    // As if its registration were still on its way when somebody names it.
    await org.change("DELETE FROM stream");
    await org.change("DELETE FROM link");
    const streams = ["events/a"];
    await org.own.put("other", org.wish({ target: pull, pattern: null, streams }));
    const view = await org.own.view(id);
    expect(view?.streams).toMatchObject([{ name: "events/a", acked: 0, tail: 1 }]);
    expect((await org.own.view("other"))?.streams).toMatchObject([{ acked: 1, tail: 1 }]);
  });

  it("older than subscriptions is followed when it is named", async () => {
    const org = new TestOrg();
    await org.create(wakeStream);
    await org.create("old", 1);
    await org.append("old");
    const object = org.streamObject("old");
    await runInDurableObject(object, (_, { storage }) => {
      storage.sql.exec("DELETE FROM document WHERE name = 'standing'");
    });
    await evictDurableObject(object);
    await org.own.put(id, org.wish({ target: pull, pattern: null, streams: ["old"] }));
    await org.append("old");
    expect((await claimed(org)).streams).toMatchObject([{ name: "old", acked: 2, tail: 3 }]);
  });

  it("that nobody follows any more tells nothing", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    await claimed(org);
    await org.own.remove(id);
    await org.append("events/a");
    await org.append("events/a");
    await vi.waitFor(async () => {
      const standing = await runInDurableObject(org.streamObject("events/a"), (_, { storage }) =>
        storage.sql.exec("SELECT body FROM document WHERE name = 'standing'").one(),
      );
      expect(standing["body"]).toContain('"isFollowed":false');
    }, patience);
  });

  it("whose news were lost tells them after a restart", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    await claimed(org);
    // As if the object had died after the commit: nobody has heard of the stream.
    await org.change("DELETE FROM stream");
    await org.change("DELETE FROM link");
    await org.change("UPDATE subscription SET body = json_set(body, '$.stage.until', 0)");
    const object = org.streamObject("events/a");
    await runInDurableObject(object, async (_, { storage }) => {
      storage.sql.exec(
        "UPDATE document SET body = json_set(body, '$.told', -1) WHERE name = 'standing'",
      );
      await storage.setAlarm(Date.now() + 3_600_000);
    });
    await evictDurableObject(object);
    await runDurableObjectAlarm(object);
    expect((await claimed(org)).streams).toMatchObject([{ name: "events/a", tail: 1 }]);
  });

  it("that is deleted leaves; its successor is read from the start", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    const claim = await claimed(org);
    await org.own.ack(id, ackOf(claim, "events/a", 1));
    await org.stream("events/a").remove();
    await vi.waitFor(async () => {
      expect((await org.own.view(id))?.streams).toEqual([]);
    }, patience);
    await org.create("events/a", 1, 2, 3);
    expect((await claimed(org)).streams).toMatchObject([{ acked: 0, tail: 3 }]);
  });

  it("never wakes the subscription whose wake stream it is", async () => {
    const org = new TestOrg();
    await org.create("events/wake");
    const target = { type: "pull-wake", wakeStream: "events/wake" } as const;
    await org.own.put(id, org.wish({ target }));
    await org.append("events/wake");
    await org.create("events/a", 1);
    expect((await claimed(org)).streams.map(({ name }) => name)).toEqual(["events/a"]);
  });
});

describe("a wake stream", () => {
  it("is told of each wake once, however often the object dies over it", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    await vi.waitFor(async () => expect(await org.stage()).toBe("told"), patience);
    for (let times = 0; times < 2; times += 1) {
      // The append was made, and the object died before it wrote that down.
      await org.change(
        `UPDATE subscription SET due_at = 0, body = json_set(body, '$.stage',
           json_object('kind', 'owed', 'wakeId', json_extract(body, '$.stage.wakeId'), 'at', 0, 'asked', 0))`,
      );
      await org.restarted((object) => object.alarm());
      await vi.waitFor(async () => expect(await org.stage()).toBe("told"), patience);
    }
    expect(countOf(await wakeEvents(org), '"type":"wake"')).toBe(1);
  });

  it("that is not there is told later, and nobody waits for it to claim", async () => {
    const org = new TestOrg();
    await org.own.put(id, org.wish({ target: pull }));
    await org.create("events/a", 1);
    await vi.waitFor(async () => {
      expect((await org.own.view(id))?.isFailing).toBe(true);
    }, patience);
    await org.create(wakeStream);
    await vi.waitFor(async () => {
      expect(countOf(await wakeEvents(org), '"generation":1')).toBe(1);
    }, 20_000);
    expect((await claimed(org)).generation).toBe(1);
  });
});

describe("a claim", () => {
  it("is one worker's until its lease is over; then it is fenced", async () => {
    const org = await subscribed();
    await org.create("events/a", 1);
    const first = await claimed(org);
    expect(await org.own.claim(id, "other")).toMatchObject({
      code: "already_claimed",
      holder: "worker",
    });
    await org.makeDue();
    const second = await claimed(org);
    expect(second.generation).toBe(first.generation + 1);
    expect(await org.own.ack(id, ackOf(first, "events/a", 1))).toMatchObject({ code: "fenced" });
    expect(await org.own.release(id, first)).toMatchObject({ code: "fenced" });
    expect(await org.own.ack(id, ackOf(second, "events/a", 1))).toEqual({
      ok: true,
      nextWake: false,
    });
    expect(await org.own.ack(id, ackOf(second, "events/a", 1))).toMatchObject({ code: "fenced" });
  });

  it("lives as long as its worker says so, and may be given back", async () => {
    const org = await subscribed();
    await org.create("events/a", 1, 2);
    const claim = await claimed(org);
    const beat = { ...ackOf(claim, "events/a", 1), done: false };
    expect(await org.own.ack(id, beat)).toEqual({ ok: true, nextWake: false });
    expect(await org.own.claim(id, "other")).toMatchObject({ code: "already_claimed" });
    expect(await org.own.release(id, claim)).toEqual({ ok: true });
    expect((await claimed(org)).streams).toMatchObject([{ acked: 1, tail: 2 }]);
  });

  it("acknowledges what the stream has, told or not, and nothing else", async () => {
    const org = await subscribed();
    await org.create("events/a", 1, 2);
    const claim = await claimed(org);
    await org.change("UPDATE stream SET tail = 1 WHERE name = 'events/a'");
    const refused = { ok: false, code: "invalid_offset" };
    expect(await org.own.ack(id, ackOf(claim, "events/a", 3))).toEqual(refused);
    expect(await org.own.ack(id, ackOf(claim, "other", 1))).toEqual(refused);
    const two = ackOf(claim, "events/a", 2);
    const mixed = { ...two, acks: [...two.acks, { name: "other", seq: 1 }] };
    expect(await org.own.ack(id, mixed)).toEqual(refused);
    expect((await org.own.view(id))?.streams).toMatchObject([{ acked: 0 }]);
    expect(await org.own.ack(id, { ...two, done: false })).toMatchObject({ ok: true });
    expect(await org.own.ack(id, ackOf(claim, "events/a", 1))).toEqual(refused);
  });
});
