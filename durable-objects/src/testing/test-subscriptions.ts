import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { objectNames, type PlatformEnv, type WebhookMessage } from "../platform-env.ts";
import { jsonLine } from "../stream/message-lines.ts";
import { streamStub, subscriptionsStub } from "../stubs.ts";
import { SubscriptionsObject } from "../subscriptions/subscriptions-object.ts";
import type { SubscriptionWish } from "../subscriptions/subscriptions-rpc.ts";

const json = "application/json";

/** An org of its own for one test: its streams, its subscriptions, and what they ask the queue for. */
export class TestOrg {
  readonly orgId = `org-${crypto.randomUUID()}`;
  readonly own = subscriptionsStub(env, this.orgId);
  /** Messages of objects that `restarted` made. */
  readonly sent: WebhookMessage[] = [];
  isQueueAway = false;

  wish(change: Partial<SubscriptionWish> = {}): SubscriptionWish {
    return {
      orgId: this.orgId,
      origin: "https://edge",
      target: { type: "webhook", url: "https://127.0.0.1/" },
      pattern: "events/*",
      streams: [],
      leaseTtlMs: 60_000,
      description: null,
      configHash: "h",
      ...change,
    };
  }

  /** The object as it is after a restart. Nothing but `act` works on it: its queue is the test's, its alarm is deleted. */
  restarted<Result>(act: (object: SubscriptionsObject) => Promise<Result>): Promise<Result> {
    return runInDurableObject(this.#object(), async (_, state) => {
      const result = await act(new SubscriptionsObject(state, this.#env()));
      await state.storage.deleteAlarm();
      return result;
    });
  }

  /** Whatever waits for its time is due now. */
  makeDue(): Promise<void> {
    return runInDurableObject(this.#object(), (_, { storage }) => {
      for (const field of ["at", "until"]) {
        storage.sql.exec(
          `UPDATE subscription SET due_at = 0, body = json_set(body, '$.stage.${field}', 0)
           WHERE json_extract(body, '$.stage.${field}') IS NOT NULL`,
        );
      }
    });
  }

  /** Changes rows under the objects' feet, as a crash would have left them. */
  change(statement: string): Promise<void> {
    return runInDurableObject(this.#object(), (_, { storage }) => {
      storage.sql.exec(statement);
    });
  }

  /** What its only subscription's wake is at. */
  stage(): Promise<string> {
    return runInDurableObject(this.#object(), (_, { storage }) => {
      const stage = "SELECT json_extract(body, '$.stage.kind') AS kind FROM subscription";
      return storage.sql.exec<{ kind: string }>(stage).one().kind;
    });
  }

  stream(name: string) {
    return streamStub(env, this.orgId, name);
  }

  streamObject(name: string) {
    return env.STREAMS.getByName(objectNames.stream(this.orgId, name));
  }

  async create(name: string, ...messages: readonly unknown[]): Promise<void> {
    const lifetime = { ttlSeconds: null, expiresAt: null };
    const config = { contentType: json, ...lifetime, closed: false, fork: null };
    const lines = messages.map((message) => jsonLine(JSON.stringify(message)));
    await this.stream(name).create({ orgId: this.orgId, name }, config, lines);
  }

  async append(name: string, message: unknown = {}): Promise<void> {
    const lines = [jsonLine(JSON.stringify(message))];
    const plain = { contentType: json, close: false, producer: null, streamSeq: null };
    await this.stream(name).append({ lines, ...plain });
  }

  #object() {
    return env.SUBSCRIPTIONS.getByName(objectNames.subscriptions(this.orgId));
  }

  #env(): PlatformEnv {
    const send = async (message: WebhookMessage) => {
      if (this.isQueueAway) throw new Error("the queue is away");
      this.sent.push(message);
    };
    return { ...env, WEBHOOKS: { send } as unknown as PlatformEnv["WEBHOOKS"] };
  }
}
