import { AgenticSessionSpec } from "@millrace/contracts";

type Spec = AgenticSessionSpec;

/** As much room for files as a session gets that says nothing of it; what a warm pod has. */
export const plainStorageSize = AgenticSessionSpec.parse({ prompt: "-" }).storage.size;

/** What a pod must be made with, so that one that is there already will not do. */
const reasons: readonly ((spec: Spec) => boolean)[] = [
  ({ image, runtimeClassName }) => image !== undefined || runtimeClassName !== undefined,
  ({ resources }) => resources?.requests !== undefined || resources?.limits !== undefined,
  ({ env = {}, secretRefs = [] }) => Object.keys(env).length + secretRefs.length > 0,
  ({ mcpServers = {}, workflow }) => Object.keys(mcpServers).length > 0 || workflow !== undefined,
  ({ repos = [] }) => repos.length > 0,
  ({ storage }) => storage.mode === "persistent" || storage.size !== plainStorageSize,
  // The runner is told of these when it starts; everything else of a model comes with the claim.
  ({ model }) => model?.temperature !== undefined || model?.maxTokens !== undefined,
];

/** Whether a session must have a pod of its own; else a warm one may execute it. */
export const needsOwnPod = (spec: Spec): boolean => reasons.some((reason) => reason(spec));
