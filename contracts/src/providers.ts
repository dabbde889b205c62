import { z } from "zod";

export const providerNames = [
  "openai",
  "anthropic",
  "google",
  "groq",
  "mistral",
  "cohere",
  "xai",
  "zai",
  "openrouter",
  "kimi",
  "qwen",
] as const;
export const ProviderName = z.enum(providerNames);
export type ProviderName = z.infer<typeof ProviderName>;

/** Other names that clients use for a provider. */
export const providerAliases: Readonly<Record<string, ProviderName>> = {
  gemini: "google",
  moonshot: "kimi",
  alibaba: "qwen",
  dashscope: "qwen",
};

/**
 * Variables of a runner's environment that may hold a provider's key; the first one that is set counts. What starts a
 * runner has to know them too, to see whether any model can be reached.
 */
export const providerKeyVariables = {
  openai: ["OPENAI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  google: ["GOOGLE_API_KEY", "GEMINI_API_KEY"],
  groq: ["GROQ_API_KEY"],
  mistral: ["MISTRAL_API_KEY"],
  cohere: ["COHERE_API_KEY"],
  xai: ["XAI_API_KEY"],
  zai: ["ZAI_API_KEY"],
  openrouter: ["OPENROUTER_API_KEY"],
  kimi: ["KIMI_API_KEY", "MOONSHOT_API_KEY"],
  qwen: ["QWEN_API_KEY", "ALIBABA_API_KEY", "DASHSCOPE_API_KEY"],
} as const satisfies Readonly<Record<ProviderName, readonly string[]>>;
