import { v1, v1Webhooks } from "@millrace/contracts";
import { z } from "zod";
import type { Answer, Api } from "./api.ts";
import { waitUntil } from "./wait-until.ts";

/** The webhook routes for one project. Its methods throw on anything but success. */
export class WebhookApi {
  readonly #api: Api;
  readonly #path: string;

  constructor(api: Api, projectId: string) {
    this.#api = api;
    this.#path = `/v1/projects/${projectId}/webhooks`;
  }

  async create(target: v1Webhooks.WebhookTarget): Promise<v1Webhooks.WebhookCreated> {
    const answer = await this.#api.request("POST", this.#path, { body: target });
    return dataOf(answer, v1Webhooks.WebhookCreated);
  }

  async get(id: string): Promise<v1Webhooks.Webhook> {
    return dataOf(await this.#api.request("GET", `${this.#path}/${id}`), v1Webhooks.Webhook);
  }

  async enable(id: string): Promise<v1Webhooks.Webhook> {
    const body = { disabled: false };
    const answer = await this.#api.request("PATCH", `${this.#path}/${id}`, { body });
    return dataOf(answer, v1Webhooks.Webhook);
  }

  async rotate(id: string): Promise<v1Webhooks.WebhookSecret> {
    const answer = await this.#api.request("POST", `${this.#path}/${id}/secret`);
    return dataOf(answer, v1Webhooks.WebhookSecret);
  }

  async rotateRunSecret(): Promise<v1Webhooks.WebhookSecret> {
    const answer = await this.#api.request("POST", `${this.#path}/run-secret`);
    return dataOf(answer, v1Webhooks.WebhookSecret);
  }

  /** Newest first; at most `limit`, of one run if it is given. */
  async deliveries(query: Readonly<Record<string, string>> = {}) {
    const path = `${this.#path}/deliveries?${new URLSearchParams(query).toString()}`;
    const answer = await this.#api.request("GET", path);
    return v1.page(v1Webhooks.WebhookDelivery).parse(answer.body);
  }

  redeliver(deliveryId: string): Promise<Answer> {
    return this.#api.request("POST", `${this.#path}/deliveries/${deliveryId}/redeliver`);
  }

  /** Waits until the one delivery of a run is as the test wants it. */
  async until(
    runId: string,
    isSo: (delivery: v1Webhooks.WebhookDelivery) => boolean,
  ): Promise<v1Webhooks.WebhookDelivery> {
    let last: v1Webhooks.WebhookDelivery | undefined;
    await waitUntil(`the delivery of ${runId}`, async () => {
      const { data } = await this.deliveries({ runId });
      [last] = data;
      return last !== undefined && isSo(last);
    });
    if (last === undefined) throw new Error("no delivery");
    return last;
  }
}

function dataOf<T>(answer: Answer, schema: z.ZodType<T>): T {
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return schema.parse(Data.parse(answer.body).data);
}

const Data = z.object({ ok: z.literal(true), data: z.unknown() });
