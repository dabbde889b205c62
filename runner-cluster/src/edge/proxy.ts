import type { ProxySettings } from "@millrace/contracts";
import http from "node:http";
import https from "node:https";

declare module "node:http" {
  /** Of Node 24.14 and newer, for `fetch` and the global agents. Not in the types yet. */
  export function setGlobalProxyFromEnv(env: Readonly<Record<string, string>>): () => void;
}

/** For a program that is started from here. */
export function proxyVariables({ HTTPS_PROXY: url, NO_PROXY: none }: ProxySettings) {
  if (url === undefined) return {};
  const variables: Record<string, string> = { HTTPS_PROXY: url, https_proxy: url };
  return none === undefined ? variables : { ...variables, NO_PROXY: none, no_proxy: none };
}

/** For commands of a run: whoever has written them is told where the proxy is, and not how it is opened. */
export function openProxyVariables(knobs: ProxySettings): Readonly<Record<string, string>> {
  if (knobs.HTTPS_PROXY === undefined) return {};
  const url = new URL(knobs.HTTPS_PROXY);
  url.username = "";
  url.password = "";
  return proxyVariables({ ...knobs, HTTPS_PROXY: url.href });
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
