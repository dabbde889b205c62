import { Hono } from "hono";
import type { EdgeEnv } from "../edge-env.ts";
import { openApiDocument } from "../openapi-document.ts";
import { referencePage } from "../reference-page.ts";

/** The contract for programs and for people. Neither needs a key, and the page needs no other site. */
export const docs = new Hono<EdgeEnv>();

// Made at the first request: a Worker that starts has better things to do.
let json: string | undefined;
const documentJson = () => (json ??= JSON.stringify(openApiDocument()));

docs.get("/openapi.json", (c) =>
  c.body(documentJson(), 200, {
    "content-type": "application/json",
    "cache-control": "public, max-age=300",
  }),
);

docs.get("/docs", (c) => {
  c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
  c.header("cache-control", "public, max-age=300");
  return c.html(referencePage(openApiDocument()));
});
