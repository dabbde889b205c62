import { type KubeObject, type Ref, keyOf } from "./kind.ts";

/** The values under which an object is found. */
export type Index<T> = (object: T) => readonly string[];

/** Index by the uid of the controlling owner: a controller finds the children of its object. */
export const byOwnerUid: Index<KubeObject> = (object) =>
  (object.metadata.ownerReferences ?? [])
    .filter((owner) => owner.controller)
    .map((owner) => owner.uid);

/** Objects by `namespace/name`, and by each index. Holds one reference per object and nothing of the past. */
export class ObjectCache<T extends KubeObject, I extends string = never> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<I, { readonly of: Index<T>; readonly keys: KeysByValue }>;

  constructor(indexes: Readonly<Record<I, Index<T>>>) {
    const entries = Object.entries(indexes) as [I, Index<T>][];
    this.#indexes = new Map(entries.map(([name, of]) => [name, { of, keys: new Map() }]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(ref: Ref): T | undefined {
    return this.#objects.get(keyOf(ref));
  }

  getByKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** All objects with this value in the index; in no order. */
  by(index: I, value: string): readonly T[] {
    const keys = this.#indexes.get(index)?.keys.get(value) ?? [];
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Returns what it replaced. */
  set(object: T): T | undefined {
    const key = keyOf(object.metadata);
    const previous = this.delete(key);
    this.#objects.set(key, object);
    for (const { of, keys } of this.#indexes.values()) {
      for (const value of of(object)) add(keys, value, key);
    }
    return previous;
  }

  /** Returns what was there. */
  delete(key: string): T | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    this.#objects.delete(key);
    for (const { of, keys } of this.#indexes.values()) {
      for (const value of of(previous)) remove(keys, value, key);
    }
    return previous;
  }
}

type KeysByValue = Map<string, Set<string>>;

function add(keys: KeysByValue, value: string, key: string): void {
  const found = keys.get(value);
  if (found) found.add(key);
  else keys.set(value, new Set([key]));
}

function remove(keys: KeysByValue, value: string, key: string): void {
  const found = keys.get(value);
  if (!found?.delete(key) || found.size > 0) return;
  keys.delete(value);
}
