import { ConversationMessage, WorkspaceState } from "@millrace/contracts";
import { z } from "zod";

/** What a run needs that is known only once its predecessors are over. */
export const Release = z.object({
  conversation: z.array(ConversationMessage).readonly(),
  workspace: WorkspaceState.nullable(),
});
export type Release = z.infer<typeof Release>;
