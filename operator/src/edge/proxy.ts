import type { ProxySettings } from "@millrace/contracts";
import http from "node:http";
import https from "node:https";

declare module "node:http" {
  /** Of Node 24.14 and newer, for `fetch` and the global agents. Not in the types yet. */
  export function setGlobalProxyFromEnv(env: Readonly<Record<string, string>>): () => void;
}

/** From now on `fetch`, and sockets with `socketAgent`, go through the proxy. Must run before the first of them. */
export function useProxy({ HTTPS_PROXY: url, NO_PROXY: none }: ProxySettings): void {
  if (url === undefined) return;
  http.setGlobalProxyFromEnv({ https_proxy: url, ...(none !== undefined && { no_proxy: none }) });
}

/** Goes by the proxy where there is one; `ws` has no agent of its own, and would go straight. */
export const socketAgent = (url: URL): { readonly agent?: https.Agent } =>
  url.protocol === "wss:" ? { agent: https.globalAgent } : {};

/** What must appear in no log line and no event. */
export function secretsOfProxy({ HTTPS_PROXY: url }: ProxySettings): readonly string[] {
  if (url === undefined) return [];
  const { password } = new URL(url);
  return password === "" ? [] : [password, decodeURIComponent(password)];
}
