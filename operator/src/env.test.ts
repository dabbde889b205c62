import { expect, it } from "vitest";
import { describeEnv, readEnv } from "./env.ts";

it("has a default for everything", () => {
  expect(readEnv({})).toMatchObject({ ok: true, env: { LEASE_SECONDS: 15, HTTP_PORT: 8080 } });
});

it("takes an empty setting for none", () => {
  expect(readEnv({ WORKERS: "", KUBECONFIG: " " })).toMatchObject({
    ok: true,
    env: { WORKERS: 10 },
  });
});

it.each([
  [{ WORKERS: "many" }, "WORKERS"],
  [{ LEASE_SECONDS: "0" }, "LEASE_SECONDS"],
  [{ HTTP_PORT: "99999" }, "HTTP_PORT"],
])("names what is wrong with %o", (raw, name) => {
  const result = readEnv(raw);
  expect(result.ok ? "" : result.problem).toMatch(name);
});

function identityOf(): string {
  const result = readEnv({ POD_NAME: "pod-1" });
  return result.ok ? result.env.identity : "";
}

it("is somebody else after each start", () => {
  expect(identityOf()).toMatch(/^pod-1_/);
  expect(identityOf()).not.toBe(identityOf());
});

it("lists every setting", () => {
  for (const name of ["KUBECONFIG", "WATCH_NAMESPACE", "LEASE_NAME", "DRAIN_DEADLINE_MS"]) {
    expect(describeEnv()).toMatch(name);
  }
});
