import { z } from "zod";
import * as pools from "../dialects/v1-pools.ts";
import * as v1 from "../dialects/v1.ts";
import { json, problems } from "./answers.ts";
import { runParams, withKey } from "./params.ts";
import { PageQuery } from "./query.ts";

/** Who executes runs, and what is left of where they ran. */

const tags = ["pools"];
const runTags = ["runs"];

const LineId = z.coerce.number().int().nonnegative();

export const listPools = {
  method: "get",
  path: "/v1/pools",
  operationId: "listPools",
  tags,
  summary: "The pools with their runners and operators, `default` first, then by name.",
  security: withKey,
  request: { query: PageQuery },
  responses: { 200: json(v1.page(pools.Pool), "A page of pools."), ...problems },
} as const;

export const createPool = {
  method: "post",
  path: "/v1/pools",
  operationId: "createPool",
  tags,
  summary: "Make a pool with a token of its own.",
  description:
    "Takes an API key with the role `admin` that is not scoped to a project. The token is in this answer and nowhere else. " +
    "A name that is taken is refused with `conflict`.",
  security: withKey,
  request: {
    body: { required: true, content: { "application/json": { schema: pools.PoolCreate } } },
  },
  responses: { 200: json(v1.envelope(pools.PoolCreated), "The pool and its token."), ...problems },
} as const;

export const deletePool = {
  method: "delete",
  path: "/v1/pools/{pool}",
  operationId: "deletePool",
  tags,
  summary: "Forget a pool: its token opens nothing any more.",
  description:
    "Takes the same key as making one. Who is connected stays so until it connects anew; runs that wait in it fail at their start deadline.",
  security: withKey,
  request: { params: z.object({ pool: z.string().meta({ description: "Name of a pool." }) }) },
  responses: { 204: { description: "It is gone, or was not there." }, ...problems },
} as const;

export const listRunLogs = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/logs",
  operationId: "listRunLogs",
  tags: runTags,
  summary: "Logs of the containers that executed the run in a cluster, as far as they are kept.",
  security: withKey,
  request: { params: runParams, query: PageQuery },
  responses: {
    200: json(v1.page(v1.SessionLog), "A page of logs, by attempt and container."),
    ...problems,
  },
} as const;

export const getRunLog = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/logs/{attempt}/{container}",
  operationId: "getRunLog",
  tags: runTags,
  summary: "The text of one container's log, kept or as it is written.",
  description:
    "A log that is kept, which it is once its container is over, is answered as `text/plain`, with ranges and an ETag. Before that there is nothing to be had but with `follow=true`: " +
    "then each line is an event `log`, with the line's id, as the container writes it, from up to 2,000 lines before now. `gap` says that lines are missing between two, since the client was too slow or came too late; " +
    "`end` is the last: the container is over, and the log is kept a moment later. A stream that breaks goes on with `Last-Event-ID`, or `after`. " +
    "`unavailable`: the container has not started, or the operator of its cluster is not connected; try again.",
  security: withKey,
  request: {
    params: runParams.extend({
      attempt: z
        .string()
        .regex(/^[1-9]\d{0,8}$/, "must be a positive integer")
        .meta({ type: "integer", minimum: 1, description: "Number of the attempt." }),
      container: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a container's name")
        .meta({ description: "Name of the container." }),
    }),
    query: z.object({
      follow: z
        .enum(["true", "false"])
        .optional()
        .meta({ description: "Of a log that is not kept yet: what its container writes." }),
      after: LineId.optional().meta({ description: "Only lines after this id; with `follow`." }),
    }),
    headers: z.object({
      "last-event-id": LineId.optional().meta({ description: "Wins over `after`." }),
    }),
  },
  responses: {
    200: {
      description: "The log; with `follow`, what is written.",
      content: {
        "text/plain": { schema: z.string() },
        "text/event-stream": { schema: z.string() },
      },
    },
    206: {
      description: "The part of it that `Range` asked for.",
      content: { "text/plain": { schema: z.string() } },
    },
    304: { description: "The log that `If-None-Match` names." },
    ...problems,
  },
} as const;

export const all = [listPools, createPool, deletePool, listRunLogs, getRunLog] as const;
