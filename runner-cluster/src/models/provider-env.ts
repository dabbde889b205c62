import { ProviderName, providerAliases } from "@millrace/contracts";
import { z } from "zod";
import { providers, type Provider } from "./providers.ts";

// `KEY=` in an env file means "not set", as it does to a shell's `${KEY:-}`.
const Optional = z
  .string()
  .trim()
  .transform((value) => (value === "" ? undefined : value))
  .optional();

/** Every variable that says something about this provider. */
export const variablesOf = (provider: Provider): readonly string[] => [
  ...provider.keyEnv,
  ...provider.modelEnv,
  ...provider.baseUrlEnv,
  ...(provider.alternative ? [provider.alternative.env] : []),
  ...Object.values(provider.headersFromEnv ?? {}),
];

const AgentProvider = z.preprocess((value) => {
  const name = typeof value === "string" ? value.trim().toLowerCase() : value;
  if (typeof name !== "string") return name;
  return name === "" ? undefined : (providerAliases[name] ?? name);
}, ProviderName.optional());

/** Every variable that a provider of the table may need: keys, base URLs, models. */
const ProviderVariables = z.object(
  Object.fromEntries(providers.flatMap(variablesOf).map((name) => [name, Optional])),
);

/** The part of the runner's environment that says which models it can reach, and how. */
export const ProviderEnv = z
  .looseObject({
    AGENT_PROVIDER: AgentProvider,
    AGENT_MODEL: Optional,
    AGENT_TEMPERATURE: z.coerce.number().min(0).max(2).optional(),
    AGENT_MAX_TOKENS: z.coerce.number().int().positive().optional(),
  })
  .transform((raw) => ({
    agentProvider: raw.AGENT_PROVIDER,
    agentModel: raw.AGENT_MODEL,
    temperature: raw.AGENT_TEMPERATURE,
    maxTokens: raw.AGENT_MAX_TOKENS,
    variables: ProviderVariables.parse(raw) as Readonly<Record<string, string | undefined>>,
  }));
export type ProviderEnv = z.output<typeof ProviderEnv>;

/** The values that must never show in an event, a log or a command's environment. */
export function secretsOf(env: ProviderEnv): readonly string[] {
  return providers
    .flatMap((provider) => provider.keyEnv)
    .map((name) => env.variables[name])
    .filter((value) => value !== undefined);
}
