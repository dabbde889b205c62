export interface Welcome {
  readonly url: string;
  readonly apiKey: string;
  readonly isLocalModel: boolean;
}

/** What a newcomer needs next: where, with which key, and two commands to paste. */
export function welcome({ url, apiKey, isLocalModel }: Welcome): string {
  const note = isLocalModel
    ? "\n  The model is a local one that replays a recorded session. Set OPENAI_API_KEY, or another\n  provider's key, to use a real one.\n"
    : "";
  return `
  base URL  ${url}
  API key   ${apiKey}
  docs      ${url}/docs
${note}
  Try it in another terminal:

curl -sS ${url}/v1/projects -H 'X-Agent-Api-Key: ${apiKey}' \\
  -H 'Content-Type: application/json' -d '{"id":"demo"}'

curl -sSN ${url}/v1/projects/demo/runs -H 'X-Agent-Api-Key: ${apiKey}' \\
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)" \\
  -d '{"prompt":"Write a small program that counts words, with tests","stream":true}'

  Ctrl-C stops everything.
`;
}
