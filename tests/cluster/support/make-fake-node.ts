import type { V1Node } from "@kubernetes/client-node";

/** A node that kwok takes care of, by its annotation. */
export function makeFakeNode(name: string, labels: Readonly<Record<string, string>>): V1Node {
  return {
    metadata: {
      name,
      annotations: { "kwok.x-k8s.io/node": "fake" },
      labels: {
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
        type: "kwok",
        ...labels,
      },
    },
  };
}
