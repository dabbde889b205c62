import { AgenticSessionSpec, AgenticSessionStatus } from "./agentic-session.ts";
import { agenticSessionPlural, crdGroup, crdVersion } from "./names.ts";
import { structuralSchema } from "./structural-schema.ts";

const column = (name: string, type: "string" | "date", jsonPath: string, priority = 0) => ({
  name,
  type,
  jsonPath,
  ...(priority > 0 && { priority }),
});

/** The CustomResourceDefinition of AgenticSession, as it is applied to a cluster. */
export function makeAgenticSessionCrd() {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${agenticSessionPlural}.${crdGroup}` },
    spec: {
      group: crdGroup,
      scope: "Namespaced",
      names: {
        plural: agenticSessionPlural,
        singular: "agenticsession",
        kind: "AgenticSession",
        listKind: "AgenticSessionList",
        shortNames: ["ags"],
        categories: ["millrace"],
      },
      versions: [
        {
          name: crdVersion,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            column("Phase", "string", ".status.phase"),
            column("Run", "string", ".status.runId"),
            column("Model", "string", ".status.model"),
            column("Reason", "string", ".status.reason"),
            column("Age", "date", ".metadata.creationTimestamp"),
            column("Attempt", "string", ".status.attempt", 1),
            column("Owner", "string", ".spec.owner", 1),
            column("Node", "string", ".status.nodeName", 1),
          ],
          schema: {
            openAPIV3Schema: {
              type: "object",
              required: ["spec"],
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: {
                  type: "object",
                  // Names of its children are made of it, with room for a suffix.
                  properties: { name: { type: "string", maxLength: 253 } },
                },
                spec: structuralSchema(AgenticSessionSpec),
                status: structuralSchema(AgenticSessionStatus),
              },
            },
          },
        },
      ],
    },
  } as const;
}
