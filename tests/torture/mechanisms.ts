/** A mechanism of the product as its bundle has it, and what stands there when it is taken out. */
interface Mechanism {
  /** What the checker should see. */
  readonly promises: readonly string[];
  readonly find: string;
  readonly replace: string;
}

export const mechanisms: Readonly<Record<string, Mechanism>> = {};

/** Takes one mechanism out of the bundle's text. Throws when it is not there, once: then this list is out of date. */
export function removeMechanism(bundle: string, name: string): string {
  const mechanism = mechanisms[name];
  if (mechanism === undefined) {
    throw new Error(`no mechanism ${name}: ${Object.keys(mechanisms).join(", ")}`);
  }
  const parts = bundle.split(mechanism.find);
  if (parts.length !== 2) throw new Error(`${name} is ${parts.length - 1} times in the bundle`);
  return parts.join(mechanism.replace);
}
