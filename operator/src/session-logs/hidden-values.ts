import { hiddenParts } from "@millrace/contracts";
import { childName } from "../agentic-session/child-name.ts";
import { kinds } from "../agentic-session/children.ts";
import type { SessionSettings } from "../agentic-session/session-settings.ts";
import type { Session } from "../agentic-session/session.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";

/**
 * What a session's pod was given and must not tell: its run token, the keys of providers and of the collector of spans, the Secrets that it names. What
 * may not be read is left out: what looks like a key is found without. Throws what another try may mend: a log must not be
 * shown because the API server was busy.
 */
export async function hiddenValues(
  session: Session,
  attempt: number,
  { providerSecret, tracing }: Pick<SessionSettings, "providerSecret" | "tracing">,
  api: Pick<KubeClient, "get">,
): Promise<readonly string[]> {
  const { namespace, name } = session.metadata;
  const names = [
    childName(name, attempt),
    ...[providerSecret, tracing?.headers?.secret].filter((one) => one !== undefined),
    ...(session.spec.secretRefs ?? []),
  ];
  const found = await Promise.all(names.map((one) => valuesOf({ namespace, name: one }, api)));
  return [...new Set(found.flat())];
}

async function valuesOf(
  ref: { readonly namespace: string; readonly name: string },
  api: Pick<KubeClient, "get">,
): Promise<readonly string[]> {
  try {
    const secret = await api.get(kinds.secret, ref);
    const texts = Object.values(secret?.data ?? {}).map((value) =>
      Buffer.from(value, "base64").toString("utf8"),
    );
    return texts.flatMap(hiddenParts);
  } catch (error) {
    if (error instanceof ApiError && !error.retryable) return [];
    throw error;
  }
}
