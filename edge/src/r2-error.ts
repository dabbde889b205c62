/** R2 says what went wrong by a number; its messages are not a contract. */
const r2Codes = { noSuchUpload: 10024, badDigest: 10037, invalidPart: 10025 } as const;

const suffix = /\((\d+)\)\s*$/;

/** Is this R2's refusal with one of these names? */
export function isR2Error(error: unknown, ...names: readonly (keyof typeof r2Codes)[]): boolean {
  if (!(error instanceof Error)) return false;
  // The binding has no `code` property: the number ends the message.
  const code = Number(suffix.exec(error.message)?.[1]);
  return names.some((name) => r2Codes[name] === code);
}
