import type { Pod } from "../agentic-session/facts.ts";
import { hasStarted } from "../agentic-session/pod-facts.ts";

/** What becomes of the logs of an attempt's pod. */
export type Keeping =
  /** No container has started, or the session wants none kept. */
  | { readonly kind: "nothing" }
  /** The pod is there, and nobody has begun to read. */
  | { readonly kind: "unread" }
  /** They are read, to the containers' end, or on their way to the platform. */
  | { readonly kind: "pending" }
  | { readonly kind: "kept"; readonly containers: number; readonly bytes: number }
  /** `what` names each container whose log is not kept, and why. */
  | { readonly kind: "lost"; readonly what: string };

export const isSettled = ({ kind }: Keeping): boolean => kind !== "unread" && kind !== "pending";

/** From what the keeper knows of this attempt, and the pod as it is seen now. */
export function keepingOf(pod: Pod | undefined, known: Keeping | undefined): Keeping {
  if (known) return known;
  return pod && hasStarted(pod) ? { kind: "unread" } : { kind: "nothing" };
}
