import { describe, expect, it } from "vitest";
import { makeSession } from "./testing/make-facts.ts";
import { WrittenStatus } from "./written-status.ts";

const at = (resourceVersion: string) =>
  makeSession({ status: { phase: "Pending" }, metadata: { resourceVersion } });

describe("the status that was written last", () => {
  it("stands for the cached one until the cache has moved", () => {
    const written = new WrittenStatus();
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
    written.wrote(at("1"), { phase: "Creating" });
    expect(written.onto(at("1")).status).toEqual({ phase: "Creating" });
    expect(written.onto(at("2")).status).toEqual({ phase: "Pending" });
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
  });

  it("is forgotten with its session", () => {
    const written = new WrittenStatus();
    written.wrote(at("1"), { phase: "Creating" });
    written.forget(at("1").metadata.uid);
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
  });
});
