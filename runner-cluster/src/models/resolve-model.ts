import type { ProviderName } from "@millrace/contracts";
import type { ProviderEnv } from "./provider-env.ts";
import { providers, type Provider } from "./providers.ts";

/** All that a completion needs to know about where it goes. Holds the key: never log or emit it whole. */
export interface ResolvedModel {
  readonly provider: ProviderName;
  readonly model: string;
  readonly source: "request" | "env" | "default";
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly asksForUsage: boolean;
}

export type ModelResolution =
  | { readonly ok: true; readonly resolved: ResolvedModel }
  | { readonly ok: false; readonly error: string };

interface ModelRequest {
  readonly provider: ProviderName | null;
  readonly model: string | null;
}

/** Decides which provider and model serve a run: what it asks for, else what the runner is set to, else a default. */
export function resolveModel(request: ModelRequest, env: ProviderEnv): ModelResolution {
  const named = request.provider ?? env.agentProvider;
  const provider = providers.find((row) =>
    named === undefined || named === null ? firstSet(row.keyEnv, env) : row.name === named,
  );
  if (!provider) return { ok: false, error: noKeyAtAll };
  const apiKey = firstSet(provider.keyEnv, env);
  if (!apiKey) return { ok: false, error: noKeyFor(provider) };
  return {
    ok: true,
    resolved: { ...modelOf(provider, request, env), ...reach(provider, env), apiKey },
  };
}

const noKeyAtAll =
  "No model provider is configured on this runner. Set a provider's key, for example OPENAI_API_KEY.";

const noKeyFor = (provider: Provider): string =>
  `The runner has no key for ${provider.name}. Set ${provider.keyEnv.join(" or ")}.`;

function modelOf(provider: Provider, request: ModelRequest, env: ProviderEnv) {
  const fromEnv = firstSet(provider.modelEnv, env) ?? env.agentModel;
  const written = request.model ?? fromEnv ?? provider.defaultModel;
  const source = request.model ? "request" : fromEnv ? "env" : "default";
  return { model: provider.modelAliases?.[written] ?? written, source } as const;
}

function reach(provider: Provider, env: ProviderEnv) {
  const { alternative } = provider;
  const useAlternative = alternative && env.variables[alternative.env]?.toLowerCase() === "true";
  const headers = Object.entries(provider.headersFromEnv ?? {}).flatMap(([header, name]) => {
    const value = env.variables[name];
    return value === undefined ? [] : [[header, value] as const];
  });
  return {
    provider: provider.name,
    baseUrl:
      firstSet(provider.baseUrlEnv, env) ??
      (useAlternative ? alternative.baseUrl : provider.baseUrl),
    headers: Object.fromEntries(headers),
    body: { ...provider.body, ...samplingOf(provider, env) },
    asksForUsage: provider.asksForUsage,
  };
}

/** Nothing is sent that nobody asked for: some models take neither. */
function samplingOf(provider: Provider, { temperature, maxTokens }: ProviderEnv) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { [provider.maxTokensField ?? "max_tokens"]: maxTokens }),
  };
}

function firstSet(names: readonly string[], env: ProviderEnv): string | undefined {
  return names.map((name) => env.variables[name]).find((value) => value !== undefined);
}
