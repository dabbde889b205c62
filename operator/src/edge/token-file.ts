import { readFileSync } from "node:fs";

/**
 * Reads a token anew each time: who mounts the file replaces it when its Secret changes. One that cannot be read, or is
 * empty, is what it was before. Throws when there has never been one.
 */
export function tokenFile(file: string): () => string {
  let last: string | undefined;
  return () => {
    try {
      last = readToken(file);
    } catch (error) {
      if (last === undefined) throw error;
    }
    return last;
  };
}

function readToken(file: string): string {
  const token = readFileSync(file, "utf8").trim();
  if (token === "") throw new Error(`${file}: there is no token in it`);
  return token;
}
