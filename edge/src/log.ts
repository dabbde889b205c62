/** One JSON line for the operator. Clients never see it. */
export function logError(message: string, facts: Readonly<Record<string, unknown>>): void {
  const { error, ...others } = facts;
  const cause = error instanceof Error ? { name: error.name, stack: error.stack } : { error };
  // oxlint-disable-next-line no-console -- the only sink that a Worker has
  console.error(JSON.stringify({ level: "error", message, ...others, ...cause }));
}
