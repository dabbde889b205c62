import type { ApplyTools } from "./apply.ts";
import { kinds } from "./children.ts";
import type { Facts } from "./facts.ts";
import { needsOwnPod } from "./needs-own-pod.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { annotations } from "./resources/annotations.ts";
import { makeClaim } from "./resources/make-claim.ts";
import { makeJob } from "./resources/make-job.ts";
import { makeNetworkPolicy } from "./resources/make-network-policy.ts";
import { isImageAllowed } from "./session-settings.ts";

/** Makes what an attempt needs; the Job last, so that no pod runs without its policy. */
export async function startAttempt(
  facts: Facts,
  { api, settings, warmed }: Pick<ApplyTools, "api" | "settings" | "warmed">,
): Promise<Refusal | undefined> {
  const { session, attempt, claim } = facts;
  const { image, storage } = session.spec;
  if (image !== undefined && !isImageAllowed(image, settings.allowedImages)) {
    return {
      reason: "InvalidSpec",
      message: `spec.image: ${image} is not among the allowed images`,
      retryable: false,
    };
  }
  try {
    if (settings.networkPolicies) {
      await api.apply(kinds.policy, makeNetworkPolicy(session, settings));
    }
    // Most of a claim cannot be changed, and it may be another attempt's already.
    if (storage.mode === "persistent" && !claim) await api.apply(kinds.claim, makeClaim(session));
    await api.apply(kinds.job, makeJob(session, { attempt, ...namesOf(facts) }, settings));
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    return refusal;
  }
  if (settings.warmPool && !needsOwnPod(session.spec)) warmed("miss");
  return undefined;
}

function namesOf({ secret }: Facts) {
  const notes = secret?.metadata.annotations ?? {};
  return {
    runId: notes[annotations.runId] ?? "",
    orgId: notes[annotations.orgId] ?? "",
    projectId: notes[annotations.projectId] ?? "",
  };
}
