import { readFileSync } from "node:fs";
import { McpServers } from "@millrace/contracts";
import { secretFiles } from "../secrets/secret-files.ts";
import type { McpServer } from "./mcp-server.ts";

export interface McpSettings {
  readonly servers: readonly McpServer[];
  /** The keys of Secrets that are headers, as `secret/key`. */
  readonly secretKeys: ReadonlySet<string>;
}

export const noMcpSettings: McpSettings = { servers: [], secretKeys: new Set() };

/** The session's settings name what is not there, or cannot be a header. Its message quotes no value. */
export class McpSettingsWrong extends Error {
  override readonly name = "McpSettingsWrong";
}

/**
 * Reads a session's `spec.mcpServers` (a JSON file) with the values of its headers, which are keys of the Secrets in
 * `secretsDir`. Throws when a file cannot be read or is malformed, and McpSettingsWrong.
 */
export function readMcpServers(file: string, secretsDir: string | undefined): McpSettings {
  const wanted = McpServers.parse(JSON.parse(readFileSync(file, "utf8")));
  const files = new Map(
    secretFiles(secretsDir ?? "").map((found) => [`${found.secret}/${found.key}`, found.file]),
  );
  const secretKeys = new Set<string>();
  const servers = Object.entries(wanted).map(([name, server]) => {
    const headers = (server.headers ?? []).map((header) => {
      const at = `${header.secret}/${header.key}`;
      secretKeys.add(at);
      return [header.name, `${header.prefix ?? ""}${valueOf(name, at, files.get(at))}`];
    });
    return {
      name,
      url: server.url,
      headers: Object.fromEntries(headers),
      tools: server.tools ?? null,
      optional: server.optional,
      timeoutMs: server.timeoutSeconds * 1000,
    };
  });
  return { servers, secretKeys };
}

function valueOf(server: string, at: string, file: string | undefined): string {
  const place = `mcpServers.${server}: the Secret's key ${at}`;
  if (file === undefined) throw new McpSettingsWrong(`${place} is not there`);
  // Most tools that make a Secret from a file leave the end of its line in.
  const value = readFileSync(file, "utf8").trim();
  if (!/^[!-~]([ -~]*[!-~])?$/.test(value)) {
    throw new McpSettingsWrong(`${place} is empty, or no text that can be a header`);
  }
  return value;
}
