/** A rule that the API server checks, in CEL; `self` is the value, `oldSelf` the one before. */
interface Rule {
  readonly rule: string;
  readonly message: string;
}

export const ruled = (...rules: readonly Rule[]) => ({ "x-kubernetes-validations": rules });
export const immutable = (name: string): Rule => ({
  rule: "self == oldSelf",
  message: `${name} cannot be changed`,
});
