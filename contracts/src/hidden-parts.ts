/** Shorter ones would eat ordinary words. */
const secretMinChars = 8;
/** A redactor holds back as much of a stream as the longest secret: a long one is told by its parts. */
const partChars = 1024;

const parts = new RegExp(`[^]{1,${partChars}}`, "g");
const urlPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*?:([^/?#]*)@/i;

/** What of a secret text must not be shown: each line by itself, since output is often cut there; of a URL its password too. */
export function hiddenParts(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const passwords = lines.flatMap(passwordsIn);
  return [...lines, ...passwords]
    .filter((part) => part.length >= secretMinChars)
    .flatMap((part) => part.match(parts) ?? []);
}

function passwordsIn(line: string): readonly string[] {
  const password = urlPassword.exec(line)?.[1];
  if (password === undefined) return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
