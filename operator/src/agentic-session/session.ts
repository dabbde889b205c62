import {
  AgenticSessionSpec,
  AgenticSessionStatus,
  agenticSessionPlural,
  crdGroup,
  crdVersion,
} from "@millrace/contracts";
import { type Kind, type KubeObject, defineKind } from "../kube/kind.ts";

/** An AgenticSession after parsing, with every default in its place. */
export interface Session extends KubeObject {
  readonly metadata: KubeObject["metadata"] & { readonly namespace: string };
  readonly spec: AgenticSessionSpec;
  readonly status?: AgenticSessionStatus;
}

/** As it comes from the API server: made by anybody, perhaps under an older schema. */
export interface StoredSession extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

export const sessionKind: Kind<StoredSession> = defineKind(
  `${crdGroup}/${crdVersion}`,
  "AgenticSession",
  agenticSessionPlural,
);

/** Undefined: what is stored is no session that this operator knows; the API server refuses such by its schema. */
export function readSession(object: StoredSession): Session | undefined {
  const spec = AgenticSessionSpec.safeParse(object.spec);
  const { namespace } = object.metadata;
  if (!spec.success || namespace === undefined) return undefined;
  const status = AgenticSessionStatus.safeParse(object.status ?? {});
  const { apiVersion, kind, metadata } = object;
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, namespace },
    spec: spec.data,
    ...(status.success && object.status !== undefined && { status: status.data }),
  };
}
