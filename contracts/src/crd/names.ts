/** How the custom resources of the platform are called in Kubernetes. */
export const crdGroup = "millrace.dev";
export const crdVersion = "v1alpha1";
export const agenticSessionPlural = "agenticsessions";
/** Under which its finalizer, labels and annotations stand. */
export const sessionFinalizer = `${crdGroup}/session`;
export const sessionLabel = `${crdGroup}/session`;
export const attemptLabel = `${crdGroup}/attempt`;
/** On an idle warm pod: the pool that it waits for. It goes when the pod becomes a session's. */
export const warmPoolLabel = `${crdGroup}/warm-pool`;
/** A Secret that sessions may name must carry this label with the value "true". */
export const secretLabel = `${crdGroup}/session-secret`;
