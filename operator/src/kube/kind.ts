import type { V1ObjectMeta } from "@kubernetes/client-node";

/**
 * A type of client-node as it really travels: its models say `Date` where JSON has a string, and
 * nothing that was read may be changed in place, because a cache shares it.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends object
    ? { readonly [K in keyof T]: Wire<T[K]> }
    : T;

/** Metadata of an object that exists: the API server has filled these in. */
type StoredMeta = Wire<V1ObjectMeta> & {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
};

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: StoredMeta;
}

/** An object as the API server returns it; `T` is a type of client-node or of our own CRDs. */
export type Stored<T extends object> = Omit<Wire<T>, keyof KubeObject> & KubeObject;

/** An object to be written: the same, but only its name is needed. */
export type Draft<T extends KubeObject> = Omit<T, keyof KubeObject> & {
  readonly metadata: Wire<V1ObjectMeta> & { readonly name: string };
};

export interface Ref {
  /** Absent for kinds that live in no namespace. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

declare const objectType: unique symbol;

/** Where objects of a kind live. `T` is only known to the compiler. */
export interface Kind<T extends KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly [objectType]?: T;
}

/** `defineKind<Stored<V1Pod>>("v1", "Pod", "pods")` */
export function defineKind<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
): Kind<T> {
  return { apiVersion, kind, plural };
}

/** The path of a collection, or of one object in it. Without a namespace: of all namespaces. */
export function pathOf(kind: Kind<KubeObject>, at: Partial<Ref> = {}): string {
  const root = kind.apiVersion.includes("/") ? "/apis" : "/api";
  const namespace = at.namespace ? `/namespaces/${encodeURIComponent(at.namespace)}` : "";
  const name = at.name ? `/${encodeURIComponent(at.name)}` : "";
  return `${root}/${kind.apiVersion}${namespace}/${kind.plural}${name}`;
}

/** `namespace/name`, or only the name where there is no namespace: what work queues carry. */
export function keyOf(at: Ref): string {
  return at.namespace ? `${at.namespace}/${at.name}` : at.name;
}

/** The inverse of `keyOf`. */
export function refOf(key: string): Ref {
  const slash = key.indexOf("/");
  if (slash < 0) return { name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
