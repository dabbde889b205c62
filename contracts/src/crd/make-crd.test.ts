import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { AgenticSessionSpec } from "./agentic-session.ts";
import { makeAgenticSessionCrd } from "./make-crd.ts";

const crd = makeAgenticSessionCrd();

it("is what the repository holds", async () => {
  const text = `# Generated from contracts/src/crd: npm run generate.\n${stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false })}`;
  await expect(text).toMatchFileSnapshot(
    "../../../operator/manifests/agenticsessions.millrace.dev.yaml",
  );
});

describe("its schema", () => {
  const [version] = crd.spec.versions;
  const text = JSON.stringify(version.schema);

  it("has nothing that a structural schema may not have", () => {
    for (const word of [
      "$schema",
      "$ref",
      "anyOf",
      "propertyNames",
      '"const"',
      "9007199254740991",
    ]) {
      expect(text).not.toContain(word);
    }
    expect(text).not.toContain('"additionalProperties":false');
  });

  it("has a type for everything, and the defaults that zod has", () => {
    const untyped: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      const { type, properties = {}, items, additionalProperties } = node as Record<string, never>;
      if (type === undefined) untyped.push(path);
      for (const [name, child] of Object.entries(properties)) visit(child, `${path}.${name}`);
      visit(items, `${path}[]`);
      visit(additionalProperties, `${path}{}`);
    };
    visit(version.schema.openAPIV3Schema, "");
    expect(untyped).toEqual([]);
    const parsed = AgenticSessionSpec.parse({ prompt: "x" });
    expect(parsed).toMatchObject({ desiredState: "Running", storage: { mode: "ephemeral" } });
    expect(JSON.stringify(version.schema.openAPIV3Schema.properties.spec)).toContain('"default"');
  });
});
