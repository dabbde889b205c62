import type { HonoRequest } from "hono";

/** The token of `Authorization: Bearer …`, if that is what the request carries. */
export function bearerOf(request: HonoRequest): string | undefined {
  return /^Bearer +(\S+)\s*$/i.exec(request.header("authorization") ?? "")?.[1];
}
