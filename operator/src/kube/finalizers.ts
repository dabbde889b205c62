import type { Kind, KubeObject } from "./kind.ts";
import type { KubeClient } from "./kube-client.ts";

export const hasFinalizer = (object: KubeObject, finalizer: string): boolean =>
  object.metadata.finalizers?.includes(finalizer) ?? false;

export const isBeingDeleted = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined;

/**
 * Adds the finalizer if it is not there. `conflict` when somebody wrote meanwhile: merge patches
 * replace the whole list, so only the version that was read may be patched.
 */
export async function addFinalizer<T extends KubeObject>(
  api: Pick<KubeClient, "patch">,
  kind: Kind<T>,
  object: T,
  finalizer: string,
): Promise<T> {
  if (hasFinalizer(object, finalizer)) return object;
  return patchFinalizers(api, kind, object, [...(object.metadata.finalizers ?? []), finalizer]);
}

/** Removes the finalizer if it is there; `not_found` when the object went meanwhile, `conflict` as above. */
export async function removeFinalizer<T extends KubeObject>(
  api: Pick<KubeClient, "patch">,
  kind: Kind<T>,
  object: T,
  finalizer: string,
): Promise<T> {
  if (!hasFinalizer(object, finalizer)) return object;
  const left = object.metadata.finalizers?.filter((one) => one !== finalizer) ?? [];
  return patchFinalizers(api, kind, object, left);
}

function patchFinalizers<T extends KubeObject>(
  api: Pick<KubeClient, "patch">,
  kind: Kind<T>,
  object: T,
  finalizers: readonly string[],
): Promise<T> {
  const { uid, resourceVersion } = object.metadata;
  return api.patch(kind, object.metadata, { metadata: { uid, resourceVersion, finalizers } });
}
