import { z } from "zod";

/** How a process in the cluster is told of a proxy; `--help` prints these among its settings. */
export const ProxySettings = z.object({
  HTTPS_PROXY: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("proxy for whatever leaves over https, with credentials if it wants any"),
  NO_PROXY: z.string().optional().describe("hosts that are reached without it"),
});
export type ProxySettings = z.output<typeof ProxySettings>;

type Variables = Readonly<Record<string, string | undefined>>;

/** As curl and Node know these two: the lower case wins. */
export const proxySpellings = (raw: Variables): Variables => ({
  HTTPS_PROXY: raw["https_proxy"] ?? raw["HTTPS_PROXY"],
  NO_PROXY: raw["no_proxy"] ?? raw["NO_PROXY"],
});
