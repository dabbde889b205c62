import { randomUUID } from "node:crypto";
import type { StreamRequest } from "../clients/sse-reader.ts";

/** Where an edge is and what opens it. */
export interface Platform {
  readonly url: URL;
  readonly apiKey: string;
  readonly poolToken: string;
}

/** A create of a run in a project that exists. Each has an idempotency key of its own. */
export function createRequest(
  platform: Platform,
  projectId: string,
  body: Readonly<Record<string, unknown>>,
): StreamRequest {
  return {
    url: new URL(`/v1/projects/${projectId}/runs`, platform.url),
    headers: {
      "x-agent-api-key": platform.apiKey,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    },
    method: "POST",
    body: JSON.stringify(body),
  };
}

/** A project that no other measurement uses. */
export async function createProject(platform: Platform): Promise<string> {
  const id = `bench-${randomUUID()}`;
  await postJson({
    url: new URL("/v1/projects", platform.url),
    headers: { "x-agent-api-key": platform.apiKey, "content-type": "application/json" },
    body: JSON.stringify({ id }),
  });
  return id;
}

export async function postJson(request: StreamRequest): Promise<{ readonly id: string }> {
  const { url, headers, body } = request;
  const response = await fetch(url, { method: "POST", headers, body: body ?? "" });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url.pathname} answered ${response.status}: ${text}`);
  const { data } = JSON.parse(text) as { data: { id: string } };
  return data;
}
