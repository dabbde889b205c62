import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childName } from "./child-name.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
/** Every name that Kubernetes accepts for a custom resource: a DNS subdomain. */
const sessionName = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join("."))
  .filter((name) => name.length <= 253);
const suffix = fc.oneof(fc.integer({ min: 1, max: 99_999 }).map(String), fc.constant("files"));

describe("a child's name", () => {
  it("is a DNS label with room for a pod's suffix, whatever the session is called", () => {
    fc.assert(
      fc.property(sessionName, suffix, (name, end) => {
        const child = childName(name, end);
        expect(child).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
        expect(child.length).toBeLessThanOrEqual(57);
      }),
    );
  });

  it("is the same for one session and suffix, and another for any other", () => {
    fc.assert(
      fc.property(sessionName, suffix, sessionName, suffix, (name, end, other, otherEnd) => {
        const isSame = name === other && end === otherEnd;
        expect(childName(name, end) === childName(other, otherEnd)).toBe(isSame);
      }),
    );
  });

  it("stays apart from a session that is called as another's children begin", () => {
    for (const name of ["a.b", "x".repeat(80), "a"]) {
      const prefix = childName(name, 1).slice(0, -2);
      const same = childName(prefix, 1) === childName(name, 1);
      expect(same).toBe(prefix === name);
      expect(childName(childName(name, 1), 1)).not.toBe(childName(name, 1));
    }
  });
});
