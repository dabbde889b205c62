import { describe, it } from "vitest";
import { ProviderEnv, secretsOf } from "./provider-env.ts";
import { resolveModel } from "./resolve-model.ts";

const nobody = { provider: null, model: null };
const env = (raw: Readonly<Record<string, string>>) => ProviderEnv.parse(raw);

/** What counts of a resolution, in one line. */
function resolve(
  request: Parameters<typeof resolveModel>[0],
  raw: Readonly<Record<string, string>>,
) {
  const resolution = resolveModel(request, env(raw));
  if (!resolution.ok) return resolution.error;
  const { provider, model, source, apiKey, baseUrl } = resolution.resolved;
  return `${provider} ${model} ${source} ${apiKey} ${baseUrl}`;
}

const openai = "https://api.openai.com/v1";
const anthropic = "https://api.anthropic.com/v1";

describe("the model of a run", () => {
  it.for([
    ["a default", nobody, { OPENAI_API_KEY: "k" }, `openai gpt-5 default k ${openai}`],
    [
      "the first key in order, not in writing",
      nobody,
      { ANTHROPIC_API_KEY: "a", GROQ_API_KEY: "g", XAI_API_KEY: "x" },
      "xai grok-2-latest default x https://api.x.ai/v1",
    ],
    [
      "AGENT_PROVIDER before keys, by an alias",
      nobody,
      { OPENAI_API_KEY: "o", GEMINI_API_KEY: "g", AGENT_PROVIDER: " Gemini " },
      "google gemini-2.5-pro default g https://generativelanguage.googleapis.com/v1beta/openai",
    ],
    [
      "the request before AGENT_PROVIDER",
      { provider: "anthropic", model: null },
      { ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "o", AGENT_PROVIDER: "openai" },
      `anthropic claude-opus-4-6 default a ${anthropic}`,
    ],
    [
      "the request's model before all",
      { provider: null, model: "gpt-4.1" },
      { OPENAI_API_KEY: "o", OPENAI_MODEL: "gpt-5-mini", AGENT_MODEL: "m" },
      `openai gpt-4.1 request o ${openai}`,
    ],
    [
      "the provider's own model before AGENT_MODEL",
      nobody,
      { OPENAI_API_KEY: "o", OPENAI_MODEL: "gpt-5-mini", AGENT_MODEL: "m" },
      `openai gpt-5-mini env o ${openai}`,
    ],
    ["AGENT_MODEL", nobody, { OPENAI_API_KEY: "o", AGENT_MODEL: "m" }, `openai m env o ${openai}`],
    [
      "a base URL of the environment",
      nobody,
      { OPENAI_API_KEY: "o", OPENAI_BASE_URL: "http://localhost:1/v1" },
      "openai gpt-5 default o http://localhost:1/v1",
    ],
    [
      "one provider's base URL for that one only",
      nobody,
      { XAI_API_KEY: "x", OPENAI_BASE_URL: "http://localhost:1/v1" },
      "xai grok-2-latest default x https://api.x.ai/v1",
    ],
    [
      "another endpoint, and a model's short name",
      { provider: "zai", model: "glm4.7" },
      { ZAI_API_KEY: "z", ZAI_USE_CODING_ENDPOINT: "true" },
      "zai glm-4.7 request z https://api.z.ai/api/coding/paas/v4",
    ],
    [
      "any of a provider's keys",
      { provider: "qwen", model: null },
      { DASHSCOPE_API_KEY: "d" },
      "qwen qwen-max default d https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    ],
    [
      "no key for the provider that was asked for",
      { provider: "kimi", model: null },
      { OPENAI_API_KEY: "o" },
      "The runner has no key for kimi. Set KIMI_API_KEY or MOONSHOT_API_KEY.",
    ],
    [
      "no key at all; a blank one is none",
      nobody,
      { OPENAI_API_KEY: "  " },
      "No model provider is configured on this runner. Set a provider's key, for example OPENAI_API_KEY.",
    ],
  ] as const)("%s", ([, request, raw, expected], { expect }) => {
    expect(resolve(request, raw)).toBe(expected);
  });

  it("carries the headers that a provider is told from the environment", ({ expect }) => {
    const raw = { OPENROUTER_API_KEY: "r", OPENROUTER_APP_NAME: "Millrace" };
    expect(resolveModel(nobody, env(raw))).toMatchObject({
      resolved: { headers: { "X-Title": "Millrace" } },
    });
  });
});

const bodyOf = (raw: Readonly<Record<string, string>>) => {
  const resolution = resolveModel(nobody, env(raw));
  return resolution.ok ? resolution.resolved.body : resolution.error;
};

describe("how a model is asked", () => {
  it("is left to the provider when nobody says", ({ expect }) => {
    expect(bodyOf({ OPENAI_API_KEY: "o" })).toEqual({});
  });

  it("is said in the provider's words, beside what it needs anyway", ({ expect }) => {
    const asked = { AGENT_TEMPERATURE: "0", AGENT_MAX_TOKENS: "500" };
    expect(bodyOf({ OPENAI_API_KEY: "o", ...asked })).toEqual({
      temperature: 0,
      max_completion_tokens: 500,
    });
    expect(bodyOf({ ZAI_API_KEY: "z", ...asked })).toEqual({
      tool_stream: true,
      temperature: 0,
      max_tokens: 500,
    });
  });

  it.for([
    { AGENT_TEMPERATURE: "3" },
    { AGENT_TEMPERATURE: "warm" },
    { AGENT_MAX_TOKENS: "0" },
    { AGENT_MAX_TOKENS: "1.5" },
  ])("cannot be %o", (raw, { expect }) => {
    expect(ProviderEnv.safeParse(raw).success).toBe(false);
  });
});

describe("the provider environment", () => {
  it("refuses a provider that nobody knows", ({ expect }) => {
    expect(ProviderEnv.safeParse({ AGENT_PROVIDER: "acme" }).success).toBe(false);
  });

  it("names every key that must stay secret", ({ expect }) => {
    const raw = { OPENAI_API_KEY: "one", MOONSHOT_API_KEY: "two", OPENAI_MODEL: "gpt-5" };
    expect(secretsOf(env(raw))).toEqual(["one", "two"]);
  });
});
