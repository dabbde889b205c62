import { hiddenParts } from "@millrace/contracts";
import { childName } from "../agentic-session/child-name.ts";
import { kinds } from "../agentic-session/children.ts";
import type { SessionSettings } from "../agentic-session/session-settings.ts";
import type { Session } from "../agentic-session/session.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";

/**
 * What a session's pod was given and must not tell: its run token, the providers' keys, the Secrets that it names. What
 * cannot be read is left out; what looks like a key is found without.
 */
export async function hiddenValues(
  session: Session,
  attempt: number,
  { providerSecret }: Pick<SessionSettings, "providerSecret">,
  api: Pick<KubeClient, "get">,
): Promise<readonly string[]> {
  const { namespace, name } = session.metadata;
  const names = [
    childName(name, attempt),
    ...(providerSecret === undefined ? [] : [providerSecret]),
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
    if (error instanceof ApiError) return [];
    throw error;
  }
}
