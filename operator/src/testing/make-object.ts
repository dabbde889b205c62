import { type Kind, type KubeObject, defineKind } from "../kube/kind.ts";

export interface Widget extends KubeObject {
  readonly spec?: { readonly size: number };
  readonly status?: { readonly ready: boolean };
}

export const widgets: Kind<Widget> = defineKind<Widget>("test.dev/v1", "Widget", "widgets");

/** A widget as the API server would return it; `version` is its resourceVersion. */
export function makeWidget(name: string, version: number, more: Partial<Widget["metadata"]> = {}) {
  return {
    apiVersion: "test.dev/v1",
    kind: "Widget",
    metadata: {
      name,
      namespace: "ns",
      uid: `uid-${name}`,
      resourceVersion: String(version),
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...more,
    },
  } satisfies Widget;
}
