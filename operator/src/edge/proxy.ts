import http from "node:http";
import https from "node:https";
import { z } from "zod";

declare module "node:http" {
  /** Of Node 24.14 and newer, for `fetch` and the global agents. Not in the types yet. */
  export function setGlobalProxyFromEnv(env: Readonly<Record<string, string>>): () => void;
}

/** How a process is told of a proxy; `--help` prints these among its settings. */
export const ProxyKnobs = z.object({
  HTTPS_PROXY: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("proxy for whatever leaves over https, with credentials if it wants any"),
  NO_PROXY: z.string().optional().describe("hosts that are reached without it"),
});
type ProxyKnobs = z.output<typeof ProxyKnobs>;

/** As curl and Node know these two: the lower case wins. */
export const proxySpellings = (raw: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  HTTPS_PROXY: raw["https_proxy"] ?? raw["HTTPS_PROXY"],
  NO_PROXY: raw["no_proxy"] ?? raw["NO_PROXY"],
});

/** From now on `fetch`, and sockets with `socketAgent`, go through the proxy. Must run before the first of them. */
export function useProxy({ HTTPS_PROXY: url, NO_PROXY: none }: ProxyKnobs): void {
  if (url === undefined) return;
  http.setGlobalProxyFromEnv({ https_proxy: url, ...(none !== undefined && { no_proxy: none }) });
}

/** Goes by the proxy where there is one; `ws` has no agent of its own, and would go straight. */
export const socketAgent = (url: URL): { readonly agent?: https.Agent } =>
  url.protocol === "wss:" ? { agent: https.globalAgent } : {};

/** What must appear in no log line and no event. */
export function secretsOfProxy({ HTTPS_PROXY: url }: ProxyKnobs): readonly string[] {
  if (url === undefined) return [];
  const { password } = new URL(url);
  return password === "" ? [] : [password, decodeURIComponent(password)];
}
