import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import type { Context } from "hono";
import { archiveStanding } from "../../archive-standing.ts";
import { byteRange } from "../../byte-range.ts";
import type { CallerEnv } from "../../edge-env.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";

export const download = new OpenAPIHono<CallerEnv>();

const retryAfterSeconds = 2;

download.openapi(createRoute(v1Routes.downloadRun), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const [place, now] = await Promise.all([
    threadObject(c.env, orgId, projectId).run(runId),
    runObject(c.env, orgId, runId).view(),
  ]);
  if (place === null) return problem(c, "not_found");
  const standing = archiveStanding(now.ok ? now.view : place.view, Date.now());
  switch (standing.kind) {
    case "pending":
      return problem(c, "unavailable", {
        message: "the workspace of this run is not stored yet",
        retryAfterSeconds,
      });
    case "never":
      return problem(c, "not_found", { message: "this run left no workspace" });
    case "stored":
      return answerArchive(c, standing.archive.key, runId);
  }
});

async function answerArchive(c: Context<CallerEnv>, key: string, runId: string) {
  const stored = await c.env.ARCHIVES.head(key);
  if (stored === null) return problem(c, "not_found", { message: "this archive is gone" });
  const headers = {
    etag: stored.httpEtag,
    "accept-ranges": "bytes",
    "cache-control": "private, no-store",
  };
  if (c.req.header("if-none-match") === stored.httpEtag) return c.newResponse(null, 304, headers);
  const asked = c.req.header("if-range") ?? stored.httpEtag;
  const range =
    asked === stored.httpEtag ? byteRange(c.req.header("range"), stored.size) : undefined;
  const file = {
    ...headers,
    "content-type": "application/zip",
    "content-disposition": `attachment; filename="run-${runId}-workspace.zip"`,
    "content-length": String(range?.length ?? stored.size),
  };
  const body = await openBody(c, key, range);
  if (range === undefined) return c.newResponse(body, 200, file);
  const last = range.offset + range.length - 1;
  return c.newResponse(body, 206, {
    ...file,
    "content-range": `bytes ${range.offset}-${last}/${stored.size}`,
  });
}

async function openBody(
  c: Context<CallerEnv>,
  key: string,
  range: R2Range | undefined,
): Promise<ReadableStream | null> {
  if (c.req.method === "HEAD") return null;
  const found = await c.env.ARCHIVES.get(key, range === undefined ? {} : { range });
  return found?.body ?? null;
}
