/** A mechanism of the product, and how it is taken out of its bundle. */
interface Mechanism {
  /** Promises that break without it, at least. */
  readonly breaks: readonly `P${number}`[];
  readonly cuts: readonly Cut[];
}

interface Cut {
  /** Names are left open where they occur in several files: the bundler numbers them. */
  readonly find: RegExp;
  readonly replace: string;
}

const cut = (find: RegExp, replace: string): Cut => ({ find, replace });

export const mechanisms: Readonly<Record<string, Mechanism>> = {
  fencing: {
    breaks: ["P4"],
    cuts: [
      cut(
        /if \((\w+)\.attempt !== \w+\.writer \|\| \w+\.attempt !== \w+\.epoch\) \{/,
        "if ($1.attempt < 0) {",
      ),
      cut(
        /if \((\w+)\.attempt !== state\.attempt\) return \{ kind: "refused", code: "fenced" \};/,
        "",
      ),
    ],
  },
  "producer-numbers": {
    breaks: ["P2", "P4", "P9"],
    cuts: [
      cut(
        /if \((\w+)\.attempt === \w+\.epoch && \w+\.producerSeq < \w+\.next\) return duplicate;/,
        "",
      ),
      // The answer to a claim says how far the attempt has come, so that most is not even sent again.
      cut(/producerSeq: \w+\.next - 1,(\s+spec: )/, "producerSeq: 0,$1"),
    ],
  },
  "tool-checkpoints": {
    breaks: ["P2", "P9"],
    cuts: [cut(/for \(const step of draft\.steps\) \w+\.insertStep\(step\);/, "")],
  },
  "lease-expiry": {
    breaks: ["P1"],
    cuts: [cut(/else draft\.endAttempt\(\{ kind: "lease_expired" \}, Math\.random\(\)\);/, "")],
  },
  closers: {
    breaks: ["P4"],
    cuts: [cut(/const closers = \[\.\.\.\w+\]\.map\(.*\);/, "const closers = [];")],
  },
  "cancelled-only": {
    breaks: ["P5"],
    cuts: [cut(/if \(\w+\.stage\.kind === "cancelling"\) return cancelled\(\w+, \w+\);/, "")],
  },
  "one-end": {
    breaks: ["P3"],
    cuts: [
      cut(
        /case "over":\s+case "cancelling":\s+return null;\s+case "created":/,
        'case "cancelling":\nreturn null;\ncase "over":\ncase "created":',
      ),
    ],
  },
  "idempotency-keys": {
    breaks: ["P6"],
    cuts: [
      cut(/(runByKey\(\w+\) \{\s+const \[row\] = )this\.#sql\.exec\([^)]*\);/, "$1[];"),
      // The column is unique: a second wall behind the first.
      cut(/spec\.idempotencyKey,\s+run\.fingerprint,/, "crypto.randomUUID(),\nrun.fingerprint,"),
    ],
  },
  fingerprints: {
    breaks: ["P6"],
    cuts: [cut(/sameKey\.fingerprint === \w+ \? "known" : "mismatch"/, '"known"')],
  },
  tenants: {
    breaks: ["P7"],
    cuts: [
      // An id finds its object only together with its org.
      cut(/run: \(orgId, runId\) => `\$\{orgId\}\//, "run: (orgId, runId) => `of-all/"),
      cut(
        /thread: \(orgId, projectId\) => `\$\{orgId\}\//,
        "thread: (orgId, projectId) => `of-all/",
      ),
    ],
  },
  "reader-cursor": {
    breaks: ["P2"],
    cuts: [cut(/this\.#source\.project\(rows, this\.#cursor\)/, "this.#source.project(rows, 0)")],
  },
  redispatch: {
    breaks: ["P1"],
    cuts: [cut(/\["dispatch", \w+\.since \+ retryDelay\("dispatch", 0\)\],/, "")],
  },
};

/** Takes one mechanism out of the bundle's text. Throws when a part of it is not there, once: then this list is out of date. */
export function removeMechanism(bundle: string, name: string): string {
  const mechanism = mechanisms[name];
  if (mechanism === undefined) {
    throw new Error(`no mechanism ${name}: ${Object.keys(mechanisms).join(", ")}`);
  }
  return mechanism.cuts.reduce((text, { find, replace }) => {
    const found = text.match(new RegExp(find, "g"))?.length ?? 0;
    if (found !== 1) throw new Error(`${name}: ${String(find)} is ${found} times in the bundle`);
    return text.replace(find, replace);
  }, bundle);
}
