import type { v1 } from "@millrace/contracts";
import type { Context, TypedResponse } from "hono";
import type { z } from "zod";

type Meta = z.infer<typeof v1.Meta>;
type PageMeta = z.infer<typeof v1.PageMeta>;
type Json<Body, Status extends 200 | 503> = Response & TypedResponse<Body, Status, "json">;
interface Success<Data, M = Meta> {
  ok: true;
  data: Data;
  meta: M;
}

const meta = (): Meta => ({ apiVersion: "v1", ts: new Date().toISOString() });

/** Success with one thing in it. */
export function ok<Data>(c: Context, data: Data): Json<Success<Data>, 200> {
  return json(c, { ok: true, data, meta: meta() }, 200);
}

/** What the health check found: 503 takes a broken edge out of a load balancer. */
export function healthy(c: Context, data: v1.Health): Json<Success<v1.Health>, 200 | 503> {
  return json(c, { ok: true, data, meta: meta() }, data.status === "ok" ? 200 : 503);
}

export interface PageOf<Item> {
  readonly items: readonly Item[];
  readonly total: number;
  readonly limit: number;
  readonly offset: number;
}

/** Success with a page of things; `meta.next` leads to the page after it. */
export function okPage<Item>(
  c: Context,
  page: PageOf<Item>,
  filter: Readonly<Record<string, string>> = {},
): Json<Success<Item[], PageMeta>, 200> {
  const { items, total } = page;
  const next = nextPage(c.req.path, page, filter);
  return json(c, { ok: true, data: [...items], meta: { ...meta(), total, next } }, 200);
}

// Hono would compute the type of the body after a trip through JSON; ours are JSON already, and too deep for that.
function json<Body extends object, Status extends 200 | 503>(
  c: Context,
  body: Body,
  status: Status,
): Json<Body, Status> {
  return c.body(JSON.stringify(body), status, {
    "content-type": "application/json",
  }) as unknown as Json<Body, Status>;
}

/** Path and query of the page after this one; null when this is the last. */
export function nextPage(
  path: string,
  page: PageOf<unknown>,
  filter: Readonly<Record<string, string>> = {},
): string | null {
  const seen = page.offset + page.items.length;
  if (page.items.length === 0 || seen >= page.total) return null;
  const query = new URLSearchParams({
    ...filter,
    limit: String(page.limit),
    offset: String(seen),
  });
  return `${path}?${query.toString()}`;
}
