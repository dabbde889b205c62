import { expect, it } from "vitest";
import { isAllowedOrigin } from "./cors.ts";

it.each([
  [undefined, "http://localhost", true],
  [undefined, "https://localhost:5173", true],
  [undefined, "http://127.0.0.1:80", true],
  [undefined, "http://[::1]:3000", true],
  [undefined, "http://localhost.evil.example", false],
  [undefined, "http://localhost:1@evil.example", false],
  [undefined, "https://example.com", false],
  ["", "http://localhost", true],
  ["https://a.example, https://b.example/", "https://a.example", true],
  ["https://a.example, https://b.example/", "https://b.example", true],
  ["https://a.example", "https://c.example", false],
  ["https://a.example", "http://localhost:5173", false],
  ["*", "https://c.example", true],
])("origins %j, page of %j: %s", (configured, origin, allowed) => {
  const env = configured === undefined ? {} : { CORS_ORIGINS: configured };
  expect(isAllowedOrigin(env, origin)).toBe(allowed);
});
