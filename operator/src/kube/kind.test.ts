import { expect, it } from "vitest";
import { defineKind, keyOf, pathOf, refOf } from "./kind.ts";

const pods = defineKind("v1", "Pod", "pods");
const jobs = defineKind("batch/v1", "Job", "jobs");

it("knows where objects live", () => {
  expect(pathOf(pods)).toBe("/api/v1/pods");
  expect(pathOf(jobs, { namespace: "a" })).toBe("/apis/batch/v1/namespaces/a/jobs");
  expect(pathOf(jobs, { namespace: "a", name: "b" })).toBe("/apis/batch/v1/namespaces/a/jobs/b");
  expect(pathOf(pods, { namespace: "a/b", name: "../c" })).toBe(
    "/api/v1/namespaces/a%2Fb/pods/..%2Fc",
  );
});

it.each([{ name: "n" }, { namespace: "ns", name: "n.with-dots" }])(
  "makes keys of %o and back",
  (ref) => {
    expect(refOf(keyOf(ref))).toEqual(ref);
  },
);
