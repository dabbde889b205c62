import { z } from "zod";
import { limits } from "../limits.ts";
import { problems } from "./answers.ts";

/**
 * The Durable Streams protocol (github.com/durable-streams/durable-streams, PROTOCOL.md) as OpenAPI describes it. The edge serves these
 * paths by its own handlers: a stream's name may hold slashes, which no OpenAPI parameter may.
 */

const tags = ["streams"];
const security: Record<string, string[]>[] = [{ apiKey: [] }, { bearer: [] }];
const named = z.object({
  name: z.string().max(limits.streamNameMaxChars).meta({ description: "May hold slashes." }),
});
const ofRun = z.object({ runId: z.uuid().meta({ description: "Id of a run." }) });
const reading = z.object({
  offset: z
    .string()
    .optional()
    .meta({ description: "`-1`: the start. `now`: the end. Else what `Stream-Next-Offset` said." }),
  live: z.enum(["long-poll", "sse"]).optional().meta({ description: "Needs `offset`." }),
  cursor: z.string().optional().meta({ description: "What `Stream-Cursor` said last." }),
});
const header = (description: string) => ({ description, schema: { type: "string" } }) as const;
const position = {
  "Stream-Next-Offset": header("Where to go on."),
  "Stream-Up-To-Date": header("`true`: there is nothing more now."),
  "Stream-Closed": header("`true`: and there never will be."),
};
const read = {
  200: {
    description: "Messages from `offset` on: a JSON array, raw bytes, or server-sent events.",
    headers: position,
  },
  204: {
    description: "Long-poll: nothing came in time, or the stream is closed.",
    headers: position,
  },
  304: { description: "`If-None-Match` named this range." },
  400: problems[400],
  401: problems[401],
  404: problems[404],
} as const;
const head = {
  200: { description: "What the stream is.", headers: position },
  401: problems[401],
  404: problems[404],
};
const deleted = { description: "Deleted, and its name kept for its forks: `gone`." };
const conflict = {
  description: "`conflict`: the stream is closed, is another, or expects something else.",
};
const tooLarge = {
  description: `\`payload_too_large\`: over ${limits.streamAppendMaxBytes} bytes, or the stream is full.`,
};

const stream = { path: "/v1/stream/{name}", tags, security } as const;
const runLog = { path: "/v1/streams/runs/{runId}", tags, security } as const;

export const all = [
  {
    ...stream,
    method: "put",
    operationId: "createStream",
    summary: "Create a stream, or a fork of one. Safe to repeat.",
    request: { params: named },
    responses: {
      200: { description: "It is there, and the same.", headers: position },
      201: { description: "Created.", headers: position },
      400: problems[400],
      401: problems[401],
      403: problems[403],
      404: { description: "The source of the fork is not there: `not_found`." },
      409: conflict,
      413: tooLarge,
    },
  },
  {
    ...stream,
    method: "post",
    operationId: "appendToStream",
    summary: "Append, close, or both. With producer headers a repeat changes nothing.",
    request: { params: named },
    responses: {
      200: { description: "A producer's data was appended.", headers: position },
      204: { description: "Appended, closed, or done before.", headers: position },
      400: problems[400],
      401: problems[401],
      403: {
        description:
          "`permission_denied`, or `fenced`: a newer epoch of this producer has written.",
      },
      404: problems[404],
      409: conflict,
      410: deleted,
      413: tooLarge,
    },
  },
  {
    ...stream,
    method: "get",
    operationId: "readStream",
    summary: "Read a stream: what is there, or live.",
    request: { params: named, query: reading },
    responses: { ...read, 410: deleted },
  },
  {
    ...stream,
    method: "head",
    operationId: "describeStream",
    summary: "What a stream is. Does not count as a use of it.",
    request: { params: named },
    responses: { ...head, 400: problems[400], 410: deleted },
  },
  {
    ...stream,
    method: "delete",
    operationId: "deleteStream",
    summary: "Delete a stream. One with forks keeps its name until the last of them is gone.",
    request: { params: named },
    responses: {
      204: { description: "Deleted." },
      400: problems[400],
      401: problems[401],
      403: problems[403],
      404: problems[404],
      410: deleted,
    },
  },
  {
    ...runLog,
    method: "get",
    operationId: "readRunLog",
    summary: "A run's events as a Durable Stream of JSON; closed when the run is over.",
    request: { params: ofRun, query: reading },
    responses: read,
  },
  {
    ...runLog,
    method: "head",
    operationId: "describeRunLog",
    summary: "Where a run's log ends, and whether it is closed.",
    request: { params: ofRun },
    responses: head,
  },
] as const;
