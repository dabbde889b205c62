/** A verb that the chart gives the operator, and what breaks without it. */
interface Right {
  readonly group: string;
  readonly resource: string;
  readonly verbs: Readonly<Record<string, string>>;
}

/** Where sessions are: one namespace, or all. */
export const operatorRights: readonly Right[] = [
  {
    group: "millrace.dev",
    resource: "agenticsessions",
    verbs: {
      get: "reads a session anew when its copy may be old",
      list: "fills its copy at the start",
      watch: "learns of every change",
      patch: "adds and removes its finalizer",
    },
  },
  {
    group: "millrace.dev",
    resource: "agenticsessions/status",
    verbs: { patch: "reports; nobody else may" },
  },
  {
    group: "millrace.dev",
    resource: "agenticsessions/finalizers",
    verbs: {
      update: "blockOwnerDeletion on children, where the cluster asks for the right to do so",
    },
  },
  {
    group: "batch",
    resource: "jobs",
    verbs: {
      get: "asks whether an attempt has its Job before it makes one",
      list: "fills its copy",
      watch: "learns of a Job that failed or was deleted by hand",
      create: "starts an attempt",
      patch: "server-side apply of the same",
      delete: "ends an attempt",
    },
  },
  {
    group: "",
    resource: "pods",
    verbs: {
      get: "reads how a pod ended before it says so",
      list: "fills its copy",
      watch: "learns of every way in which a pod fails",
      delete: "stops a session; the platform gives less time than the Job would",
    },
  },
  { group: "", resource: "pods/log", verbs: { get: "keeps and follows what pods write" } },
  {
    group: "",
    resource: "secrets",
    verbs: {
      get: "checks the label of a Secret that a session names",
      list: "fills its copy of run tokens, by label",
      watch: "learns of a run token deleted by hand",
      create: "gives an attempt its run token",
      patch: "renews it before it ends",
      delete: "takes it back",
    },
  },
  {
    group: "",
    resource: "persistentvolumeclaims",
    verbs: {
      list: "fills its copy",
      watch: "learns that a volume is bound or not",
      create: "gives a session its persistent volume",
      patch: "server-side apply of the same; its owner, as the session is to keep it or not",
    },
  },
  {
    group: "networking.k8s.io",
    resource: "networkpolicies",
    verbs: { create: "closes a session's pod", patch: "server-side apply of the same" },
  },
  {
    group: "",
    resource: "namespaces",
    verbs: { get: "tells a namespace that goes from one that refuses" },
  },
  {
    group: "",
    resource: "events",
    verbs: {
      list: "why a Job has no pod, a volume no disk: said only there",
      watch: "the same, as it happens",
    },
  },
  {
    group: "events.k8s.io",
    resource: "events",
    verbs: {
      create: "says what happened to a session",
      get: "goes on with an Event that another replica began",
      patch: "counts a repeated one instead of writing another",
    },
  },
];

/** In the namespace of the release, for the Lease alone. */
export const leaseRights: readonly Right[] = [
  {
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: {
      create: "the first replica makes the Lease",
      get: "sees who leads",
      patch: "renews it, takes it over, gives it back",
    },
  },
];

/** In the namespace of the warm pool, and only with one. */
export const warmRights: readonly Right[] = [
  {
    group: "",
    resource: "pods",
    verbs: {
      create: "fills the pool up",
      patch: "makes an idle pod a session's: owner and labels",
    },
  },
  {
    group: "",
    resource: "configmaps",
    verbs: {
      list: "finds the object that idle pods belong to, and no other",
      watch: "learns that the pool goes with its chart",
    },
  },
];

/** Of the hook of `helm uninstall`, where sessions are; its account exists only meanwhile. */
export const uninstallRights: readonly Right[] = [
  {
    group: "millrace.dev",
    resource: "agenticsessions",
    verbs: {
      get: "reads a session anew before it writes",
      list: "looks at each once",
      patch: "removes the finalizer, which nobody would remove any more",
    },
  },
  {
    group: "millrace.dev",
    resource: "agenticsessions/status",
    verbs: { patch: "says that the run is paused, and why" },
  },
  {
    group: "batch",
    resource: "jobs",
    verbs: { list: "finds the attempts under way", delete: "ends them" },
  },
  {
    group: "",
    resource: "pods",
    verbs: {
      list: "sees which runners still work",
      delete: "ends those, and idle ones of the warm pool",
    },
  },
  { group: "", resource: "pods/log", verbs: { get: "keeps the log of a pod that goes" } },
  {
    group: "",
    resource: "secrets",
    verbs: {
      get: "knows what a kept log must not tell, by the names in the session",
      delete: "takes run tokens back, by their names",
    },
  },
  {
    group: "events.k8s.io",
    resource: "events",
    verbs: {
      create: "says at a session what happened to it",
      get: "goes on with an Event that was begun",
      patch: "counts a repeated one",
    },
  },
];

/** The same hook, in the namespace of the release. */
export const takeOverRights: readonly Right[] = [
  {
    group: "apps",
    resource: "deployments/scale",
    verbs: { patch: "takes the operator's replicas away" },
  },
  {
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: {
      create: "leads where no operator ever did",
      get: "sees when the last one has gone",
      patch: "leads in its place",
      delete: "leaves nothing behind",
    },
  },
];
