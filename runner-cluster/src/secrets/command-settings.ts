import { readFileSync } from "node:fs";
import { TextDecoder } from "node:util";
import { hiddenParts } from "@millrace/contracts";
import { z } from "zod";
import { secretFiles } from "./secret-files.ts";

/** What the commands of a session's run are given, as its spec says. */
export interface CommandSettings {
  readonly variables: Readonly<Record<string, string>>;
  /** Texts that must appear in no event and no log line. */
  readonly secrets: readonly string[];
  /** Where the Secrets lie, a directory each; undefined: the session names none. */
  readonly secretsDir: string | undefined;
}

export const noCommandSettings: CommandSettings = {
  variables: {},
  secrets: [],
  secretsDir: undefined,
};

const Variables = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string());

/**
 * Reads `spec.env` (one JSON file) and `spec.secretRefs` (a directory per Secret, a file per key). A key that is a
 * variable's name becomes one and wins over `spec.env`; other keys stay files, for git's credentials. They are read once,
 * so that what a command has is what is kept out of the events. Keys in `taken` (as `secret/key`) are for something else:
 * they become no variable. Throws when a file cannot be read or is malformed.
 */
export function readCommandSettings(
  envFile: string | undefined,
  secretsDir: string | undefined,
  taken: ReadonlySet<string> = new Set(),
): CommandSettings {
  const env =
    envFile === undefined ? {} : Variables.parse(JSON.parse(readFileSync(envFile, "utf8")));
  const entries = secretsDir === undefined ? [] : entriesOf(secretsDir);
  const variables = { ...env };
  for (const { secret, key, text } of entries) {
    if (taken.has(`${secret}/${key}`)) continue;
    if (Variables.safeParse({ [key]: text }).success && !text.includes("\0")) variables[key] = text;
  }
  return {
    variables,
    secrets: entries.flatMap(({ text }) => hiddenParts(text)),
    secretsDir: entries.length === 0 ? undefined : secretsDir,
  };
}

interface Entry {
  readonly secret: string;
  readonly key: string;
  readonly text: string;
}

function entriesOf(folder: string): readonly Entry[] {
  return secretFiles(folder).flatMap(({ secret, key, file }) => {
    const text = textOf(file);
    return text === null ? [] : [{ secret, key, text }];
  });
}

/** Null: it is no text, so no variable, and nothing that an event could say. */
function textOf(file: string): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
