import type { Context } from "hono";
import type { z } from "zod";
import { problem, type ProblemResponse } from "./problem.ts";

export type ReadBody<Data> =
  | { readonly ok: true; readonly data: Data }
  | { readonly ok: false; readonly response: ProblemResponse };

/** Reads a JSON body for routes that are not part of a documented dialect. */
export async function readBody<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<ReadBody<z.output<Schema>>> {
  let json: unknown;
  try {
    json = JSON.parse(await c.req.text());
  } catch {
    return { ok: false, response: problem(c, "invalid_json") };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, data: parsed.data };
  const [issue] = parsed.error.issues;
  const message = `${issue?.path.join(".") || "body"}: ${issue?.message ?? "invalid"}`;
  return { ok: false, response: problem(c, "invalid_argument", { message }) };
}
