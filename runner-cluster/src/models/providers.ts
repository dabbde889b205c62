import { providerKeyVariables, type ProviderName } from "@millrace/contracts";

/**
 * How to reach a provider. All of them are spoken to in Chat Completions, each through its own
 * OpenAI-compatible endpoint, so that a new provider is a new row.
 */
export interface Provider {
  readonly name: ProviderName;
  /** Variables that may hold the key; the first one that is set counts. */
  readonly keyEnv: readonly string[];
  readonly modelEnv: readonly string[];
  readonly baseUrlEnv: readonly string[];
  readonly baseUrl: string;
  readonly defaultModel: string;
  /** Shorter names that users write for a model. */
  readonly modelAliases?: Readonly<Record<string, string>>;
  /** A variable that, set to `true`, selects another endpoint. */
  readonly alternative?: { readonly env: string; readonly baseUrl: string };
  /** Header name → variable that holds its value. */
  readonly headersFromEnv?: Readonly<Record<string, string>>;
  /** Fields that this provider needs in the request body. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** What it calls the bound on an answer's tokens; `max_tokens` when it says nothing here. */
  readonly maxTokensField?: string;
  /** False: it refuses `stream_options`, and reports usage in its last chunk unasked. */
  readonly asksForUsage: boolean;
}

/** In the order in which their keys are looked for when nobody names a provider. */
export const providers: readonly Provider[] = [
  {
    name: "openai",
    keyEnv: providerKeyVariables.openai,
    modelEnv: ["OPENAI_MODEL"],
    baseUrlEnv: ["OPENAI_BASE_URL", "OPENAI_API_BASE"],
    baseUrl: "https://api.openai.com/v1",
    defaultModel: "gpt-5",
    // Its reasoning models refuse `max_tokens`.
    maxTokensField: "max_completion_tokens",
    asksForUsage: true,
  },
  {
    name: "xai",
    keyEnv: providerKeyVariables.xai,
    modelEnv: ["XAI_MODEL"],
    baseUrlEnv: ["XAI_BASE_URL"],
    baseUrl: "https://api.x.ai/v1",
    defaultModel: "grok-2-latest",
    asksForUsage: true,
  },
  {
    name: "zai",
    keyEnv: providerKeyVariables.zai,
    modelEnv: ["ZAI_MODEL"],
    baseUrlEnv: ["ZAI_BASE_URL"],
    baseUrl: "https://api.z.ai/api/paas/v4",
    defaultModel: "glm-4.7",
    modelAliases: { "glm4.7": "glm-4.7" },
    alternative: {
      env: "ZAI_USE_CODING_ENDPOINT",
      baseUrl: "https://api.z.ai/api/coding/paas/v4",
    },
    body: { tool_stream: true },
    asksForUsage: true,
  },
  {
    name: "google",
    keyEnv: providerKeyVariables.google,
    modelEnv: ["GOOGLE_MODEL", "GEMINI_MODEL"],
    baseUrlEnv: ["GOOGLE_BASE_URL"],
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    defaultModel: "gemini-2.5-pro",
    asksForUsage: true,
  },
  {
    name: "groq",
    keyEnv: providerKeyVariables.groq,
    modelEnv: ["GROQ_MODEL"],
    baseUrlEnv: ["GROQ_BASE_URL"],
    baseUrl: "https://api.groq.com/openai/v1",
    defaultModel: "llama-3.3-70b-versatile",
    asksForUsage: true,
  },
  {
    name: "mistral",
    keyEnv: providerKeyVariables.mistral,
    modelEnv: ["MISTRAL_MODEL"],
    baseUrlEnv: ["MISTRAL_BASE_URL"],
    baseUrl: "https://api.mistral.ai/v1",
    defaultModel: "mistral-large-latest",
    asksForUsage: false,
  },
  {
    name: "cohere",
    keyEnv: providerKeyVariables.cohere,
    modelEnv: ["COHERE_MODEL"],
    baseUrlEnv: ["COHERE_BASE_URL"],
    baseUrl: "https://api.cohere.ai/compatibility/v1",
    defaultModel: "command-r-plus",
    asksForUsage: true,
  },
  {
    name: "openrouter",
    keyEnv: providerKeyVariables.openrouter,
    modelEnv: ["OPENROUTER_MODEL"],
    baseUrlEnv: ["OPENROUTER_BASE_URL"],
    baseUrl: "https://openrouter.ai/api/v1",
    defaultModel: "openai/gpt-4o-mini",
    headersFromEnv: { "HTTP-Referer": "OPENROUTER_SITE_URL", "X-Title": "OPENROUTER_APP_NAME" },
    asksForUsage: true,
  },
  {
    name: "kimi",
    keyEnv: providerKeyVariables.kimi,
    modelEnv: ["KIMI_MODEL", "MOONSHOT_MODEL"],
    baseUrlEnv: ["KIMI_BASE_URL", "MOONSHOT_BASE_URL"],
    baseUrl: "https://api.moonshot.ai/v1",
    defaultModel: "moonshot-v1-8k",
    asksForUsage: true,
  },
  {
    name: "qwen",
    keyEnv: providerKeyVariables.qwen,
    modelEnv: ["QWEN_MODEL"],
    baseUrlEnv: ["QWEN_BASE_URL"],
    baseUrl: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    defaultModel: "qwen-max",
    asksForUsage: true,
  },
  {
    name: "anthropic",
    keyEnv: providerKeyVariables.anthropic,
    modelEnv: ["ANTHROPIC_MODEL"],
    baseUrlEnv: ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL"],
    baseUrl: "https://api.anthropic.com/v1",
    defaultModel: "claude-opus-4-6",
    asksForUsage: true,
  },
];
