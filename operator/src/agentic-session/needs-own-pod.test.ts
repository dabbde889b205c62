import { AgenticSessionSpec } from "@millrace/contracts";
import { expect, it } from "vitest";
import { needsOwnPod } from "./needs-own-pod.ts";

const specs: Readonly<Record<string, readonly [spec: object, own: boolean]>> = {
  nothing: [{}, false],
  "another bound": [{ timeoutSeconds: 60, startDeadlineSeconds: 60 }, false],
  "a model": [{ model: { name: "gpt-x", provider: "openai" } }, false],
  "the room that every session has": [{ storage: { size: "10Gi", mode: "ephemeral" } }, false],
  "an image": [{ image: "registry.example.com/agents/x" }, true],
  "a runtime": [{ runtimeClassName: "gvisor" }, true],
  resources: [{ resources: { limits: { memory: "4Gi" } } }, true],
  repositories: [{ repos: [{ url: "https://example.com/a.git" }] }, true],
  variables: [{ env: { A: "1" } }, true],
  "MCP servers": [{ mcpServers: { docs: { url: "https://mcp.example.com" } } }, true],
  Secrets: [{ secretRefs: ["git"] }, true],
  "more room": [{ storage: { size: "20Gi", mode: "ephemeral" } }, true],
  "a volume that lasts": [{ storage: { size: "10Gi", mode: "persistent" } }, true],
  "a temperature": [{ model: { name: "gpt-x", temperature: 0 } }, true],
  "a bound of answers": [{ model: { name: "gpt-x", maxTokens: 100 } }, true],
};

it.each(Object.entries(specs))("with %s", (_, [spec, own]) => {
  expect(needsOwnPod(AgenticSessionSpec.parse({ prompt: "x", ...spec }))).toBe(own);
});
