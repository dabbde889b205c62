import { z } from "zod";
import * as v1 from "../dialects/v1.ts";
import { eventStream, json, problems, runIdHeader } from "./answers.ts";
import { keyedAndTraced, projectParams, runParams, withKey } from "./params.ts";
import { cursorHeader, PageQuery } from "./query.ts";
import * as runInput from "./v1-run-input.ts";
import * as runLog from "./v1-run-log.ts";
import * as pools from "./v1-pools.ts";
import * as webhooks from "./v1-webhooks.ts";

export { sendInput } from "./v1-run-input.ts";
export { getEventBlob, getSnapshot, streamRun } from "./v1-run-log.ts";

/** The `/v1` routes as data: the edge serves them, OpenAPI describes them. */

const tags = {
  about: ["about"],
  projects: ["projects"],
  runs: ["runs"],
  messages: ["messages"],
};
const open: Record<string, string[]>[] = [];

export const root = {
  method: "get",
  path: "/v1",
  operationId: "root",
  tags: tags.about,
  summary: "Name, version and endpoints. Also at `/`.",
  security: open,
  responses: { 200: json(v1.envelope(v1.Root), "What this is."), 500: problems[500] },
} as const;

export const health = {
  method: "get",
  path: "/v1/health",
  operationId: "health",
  tags: tags.about,
  summary: "Whether the stores answer. Also at `/health`.",
  security: open,
  responses: {
    200: json(v1.envelope(v1.Health), "Every check passed."),
    503: json(v1.envelope(v1.Health), "Some check failed; `data.status` is `degraded`."),
    500: problems[500],
  },
} as const;

export const capabilities = {
  method: "get",
  path: "/v1/capabilities",
  operationId: "capabilities",
  tags: tags.about,
  summary: "Actions, providers, limits and settings. Also at `/capabilities`.",
  security: open,
  responses: { 200: json(v1.envelope(v1.Capabilities), "What it can do."), 500: problems[500] },
} as const;

export const createProject = {
  method: "post",
  path: "/v1/projects",
  operationId: "createProject",
  tags: tags.projects,
  summary: "Create a project, or answer the one with this id, unchanged.",
  security: withKey,
  request: {
    body: { required: true, content: { "application/json": { schema: v1.ProjectCreate } } },
  },
  responses: { 200: json(v1.envelope(v1.ProjectCreated), "The project."), ...problems },
} as const;

export const listProjects = {
  method: "get",
  path: "/v1/projects",
  operationId: "listProjects",
  tags: tags.projects,
  summary: "Projects, last changed first.",
  security: withKey,
  request: { query: PageQuery },
  responses: { 200: json(v1.page(v1.Project), "A page of projects."), ...problems },
} as const;

export const getProject = {
  method: "get",
  path: "/v1/projects/{projectId}",
  operationId: "getProject",
  tags: tags.projects,
  summary: "One project.",
  security: withKey,
  request: { params: projectParams },
  responses: { 200: json(v1.envelope(v1.Project), "The project."), ...problems },
} as const;

export const createRun = {
  method: "post",
  path: "/v1/projects/{projectId}/runs",
  operationId: "createRun",
  tags: tags.runs,
  summary:
    "Start a run. It supersedes the project's writable run and starts when earlier runs are over.",
  security: withKey,
  parameters: keyedAndTraced,
  request: {
    params: projectParams,
    headers: cursorHeader,
    body: { required: true, content: { "application/json": { schema: v1.RunCreate } } },
  },
  responses: {
    200: {
      description: "The run; with `stream: true` its events.",
      headers: runIdHeader,
      content: {
        "application/json": { schema: v1.envelope(v1.RunCreated) },
        "text/event-stream": eventStream,
      },
    },
    ...problems,
  },
} as const;

export const createMessage = {
  method: "post",
  path: "/v1/projects/{projectId}/messages",
  operationId: "createMessage",
  tags: tags.messages,
  summary: "Go on with the project's conversation: a run that is given what was said before.",
  security: withKey,
  parameters: keyedAndTraced,
  request: {
    params: projectParams,
    headers: cursorHeader,
    body: { required: true, content: { "application/json": { schema: v1.MessageCreate } } },
  },
  responses: {
    200: {
      description: "The message and its run; with `stream: true` the run's events.",
      headers: runIdHeader,
      content: {
        "application/json": { schema: v1.envelope(v1.MessageCreated) },
        "text/event-stream": eventStream,
      },
    },
    ...problems,
  },
} as const;

export const listRuns = {
  method: "get",
  path: "/v1/projects/{projectId}/runs",
  operationId: "listRuns",
  tags: tags.runs,
  summary: "Runs of a project, newest first.",
  security: withKey,
  request: { params: projectParams, query: PageQuery },
  responses: { 200: json(v1.page(v1.RunSummary), "A page of runs."), ...problems },
} as const;

export const getRun = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}",
  operationId: "getRun",
  tags: tags.runs,
  summary: "One run.",
  security: withKey,
  request: { params: runParams },
  responses: { 200: json(v1.envelope(v1.RunSummary), "The run."), ...problems },
} as const;

export const listMessages = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/messages",
  operationId: "listMessages",
  tags: tags.messages,
  summary: "The user's message of a run and, once it is there, the assistant's.",
  security: withKey,
  request: { params: runParams, query: PageQuery },
  responses: { 200: json(v1.page(v1.Message), "A page of messages, oldest first."), ...problems },
} as const;

export const cancelRun = {
  method: "post",
  path: "/v1/projects/{projectId}/runs/{runId}/cancel",
  operationId: "cancelRun",
  tags: tags.runs,
  summary: "Cancel a run that is not over, superseded or not. Safe to repeat.",
  security: withKey,
  request: { params: runParams },
  responses: { 200: json(v1.envelope(v1.RunCancelled), "Where the run stands."), ...problems },
} as const;

export const downloadRun = {
  method: "get",
  path: "/v1/projects/{projectId}/runs/{runId}/download.zip",
  operationId: "downloadRun",
  tags: tags.runs,
  summary: "The workspace as this run left it.",
  security: withKey,
  request: { params: runParams },
  responses: {
    200: {
      description: "The archive.",
      content: { "application/zip": { schema: z.string().meta({ format: "binary" }) } },
    },
    206: {
      description: "The part of the archive that `Range` asked for.",
      content: { "application/zip": { schema: z.string().meta({ format: "binary" }) } },
    },
    304: { description: "The archive that `If-None-Match` names." },
    ...problems,
  },
} as const;

/** In the order of the documentation. */
export const all = [
  root,
  health,
  capabilities,
  createProject,
  listProjects,
  getProject,
  createRun,
  listRuns,
  getRun,
  ...runLog.all,
  ...runInput.all,
  cancelRun,
  downloadRun,
  createMessage,
  listMessages,
  ...webhooks.all,
  ...pools.all,
] as const;
