import { expect, it } from "vitest";
import { makeSession } from "../agentic-session/testing/make-facts.ts";
import { hiddenValues } from "./hidden-values.ts";

/** Each Secret says whose it is. */
const get = async (_: unknown, { name }: { readonly name: string }) => {
  return { data: { value: Buffer.from(`secret of ${name}`).toString("base64") } } as never;
};

it("are of every Secret that a session's pod was given", async () => {
  const session = makeSession({ spec: { secretRefs: ["deploy"] } });
  const settings = {
    providerSecret: "providers",
    tracing: { env: {}, headers: { secret: "collector", key: "headers" } },
  };
  const hidden = await hiddenValues(session, 1, settings, { get });
  for (const name of ["fix-1", "providers", "collector", "deploy"]) {
    expect(hidden).toContain(`secret of ${name}`);
  }
});
