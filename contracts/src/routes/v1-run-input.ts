import * as v1 from "../dialects/v1.ts";
import { RunInput, RunInputTaken } from "../dialects/v1-run-input.ts";
import { json, problems } from "./answers.ts";
import { keyed, runParams, withKey } from "./params.ts";

/** What a user says to a run that is under way. */

const tags = ["runs"];

export const sendInput = {
  method: "post",
  path: "/v1/projects/{projectId}/runs/{runId}/input",
  operationId: "sendInput",
  tags,
  summary:
    "Answer a run's question, say what comes next, or have it finish. Stored once per key; a waiting run goes on.",
  security: withKey,
  parameters: keyed,
  request: {
    params: runParams,
    body: { required: true, content: { "application/json": { schema: RunInput } } },
  },
  responses: { 200: json(v1.envelope(RunInputTaken), "It is stored."), ...problems },
} as const;

export const all = [sendInput] as const;
