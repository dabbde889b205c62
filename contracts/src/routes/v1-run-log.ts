import { z } from "zod";
import * as v1 from "../dialects/v1.ts";
import { Json } from "../json.ts";
import { limits } from "../limits.ts";
import { eventStream, gone, json, problems, runIdHeader } from "./answers.ts";
import { runParams, withKey } from "./params.ts";
import { Cursor, cursorHeader } from "./query.ts";

/** What can be read of a run's events. */

const tags = ["runs"];

export const streamRun = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/stream",
  operationId: "streamRun",
  tags,
  summary: "Follow a run: what happened after the cursor, then what happens, on one connection.",
  security: withKey,
  request: {
    params: runParams,
    headers: cursorHeader,
    query: z.object({
      after: Cursor.optional().meta({
        type: "integer",
        minimum: 0,
        description: "Send only events after this one.",
      }),
    }),
  },
  responses: {
    200: {
      description: "The run's events.",
      headers: runIdHeader,
      content: { "text/event-stream": eventStream },
    },
    ...problems,
    410: gone,
  },
} as const;

export const getSnapshot = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/snapshot",
  operationId: "getRunSnapshot",
  tags,
  summary: "The run as its events up to `at` add up: follow it from there with `?after=`.",
  security: withKey,
  request: { params: runParams },
  responses: {
    200: json(v1.envelope(v1.RunSnapshot), "State and messages at event `at`."),
    ...problems,
  },
} as const;

export const getEventBlob = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/blobs/{sha256}",
  operationId: "getEventBlob",
  tags,
  summary: "The whole data of an event that is too large for the stream.",
  description:
    "An event whose data is over " +
    `${limits.inlineBodyMaxBytes} bytes is one frame like any other: its data holds a preview and ` +
    "`blob: {sha256, size, url}`. What lies at `url` is the data as the run's log has it, never changes, and can be kept.",
  security: withKey,
  request: {
    params: runParams.extend({
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .meta({ description: "SHA-256 of the bytes, from the frame." }),
    }),
  },
  responses: {
    200: {
      description: "The data as JSON.",
      content: { "application/json": { schema: Json } },
    },
    206: {
      description: "The bytes that `Range` asked for.",
      content: { "application/json": { schema: z.string().meta({ format: "binary" }) } },
    },
    304: { description: "The client's copy, which `If-None-Match` names, is the whole." },
    ...problems,
  },
} as const;

export const all = [streamRun, getSnapshot, getEventBlob] as const;
