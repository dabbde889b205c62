import { z } from "zod";

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** Says what is wrong without repeating the message, which may hold a prompt or a token. */
  | { readonly ok: false; readonly problem: string };

/** Parses a socket message. */
export function parseMessage<T>(schema: z.ZodType<T>, text: string): Parsed<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, problem: "not JSON" };
  }
  const result = schema.safeParse(json);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problem: z.prettifyError(result.error) };
}
