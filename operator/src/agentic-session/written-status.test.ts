import { describe, expect, it } from "vitest";
import { makeSession } from "./testing/make-facts.ts";
import { WrittenStatus } from "./written-status.ts";

const at = (resourceVersion: string) =>
  makeSession({ status: { phase: "Pending" }, metadata: { resourceVersion } });

describe("the status that was written last", () => {
  it("stands for the cached one until the cache has moved", () => {
    const written = new WrittenStatus();
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
    written.wrote(at("1"), { phase: "Creating" }, { over: "1", version: "2" });
    expect(written.onto(at("1"))).toMatchObject({
      status: { phase: "Creating" },
      metadata: { resourceVersion: "2" },
    });
    expect(written.onto(at("2")).status).toEqual({ phase: "Pending" });
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
  });

  it("stands for all that the cache passes on its way there: the finalizer's version, and our own last write", () => {
    const written = new WrittenStatus();
    written.wrote(at("1"), { phase: "Creating" }, { over: "2", version: "3" });
    written.wrote(written.onto(at("1")), { phase: "Running" }, { over: "3", version: "4" });
    for (const version of ["1", "2", "3"]) {
      expect(written.onto(at(version)).status).toEqual({ phase: "Running" });
    }
    expect(written.onto(at("4")).status).toEqual({ phase: "Pending" });
  });

  it("is forgotten with its session", () => {
    const written = new WrittenStatus();
    written.wrote(at("1"), { phase: "Creating" }, { over: "1", version: "2" });
    written.forget(at("1").metadata.uid);
    expect(written.onto(at("1")).status).toEqual({ phase: "Pending" });
  });
});
