/** What torture tells its bundle, as one variable of the Worker. */
export interface FaultRates {
  /** Unix ms after which every binding works: runs must come to their end then. */
  readonly until: number;
  /** Of a hundred calls, how many fail. */
  readonly d1: number;
  readonly r2: number;
  /** Of a hundred messages, how many are lost, sent twice, or sent late. */
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
}

type FaultKind = Exclude<keyof FaultRates, "until">;

interface Bindings {
  readonly DB: D1Database;
  readonly ARCHIVES: R2Bucket;
  readonly DISPATCH: Queue;
  readonly WEBHOOKS: Queue;
}

const lateSeconds = 2;
const wrapped = new WeakMap<object, object>();

/** The same environment with bindings that fail as often as `TORTURE_FAULTS` says. */
export function withFaults<Env extends Bindings>(env: Env): Env {
  const known = wrapped.get(env);
  if (known !== undefined) return known as Env;
  const text = (env as { readonly TORTURE_FAULTS?: string }).TORTURE_FAULTS;
  const rates = JSON.parse(text ?? "null") as FaultRates | null;
  if (rates === null) return env;
  const faulty: Env = {
    ...env,
    DB: failingDatabase(env.DB, () => happens(rates, "d1")),
    ARCHIVES: failingBucket(env.ARCHIVES, () => happens(rates, "r2")),
    DISPATCH: failingQueue(env.DISPATCH, rates),
    WEBHOOKS: failingQueue(env.WEBHOOKS, rates),
  };
  wrapped.set(env, faulty);
  return faulty;
}

/** The log is read for what happened: counts in memory would go with the next kill. */
function happens(rates: FaultRates, kind: FaultKind): boolean {
  const isSo = Date.now() < rates.until && Math.random() * 100 < rates[kind];
  // oxlint-disable-next-line no-console -- this is the log
  if (isSo) console.warn(`torture fault: ${kind}`);
  return isSo;
}

/** Half of the failures come after the work was done: its caller cannot tell. */
function failing<Target extends object>(
  target: Target,
  methods: readonly string[],
  fails: () => boolean,
): Target {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      const call = (...given: unknown[]): unknown => Reflect.apply(value, target, given);
      if (!methods.includes(String(name))) return call;
      return async (...given: unknown[]) => {
        if (!fails()) return call(...given);
        if (Math.random() < 0.5) await call(...given);
        throw new Error(`torture: ${String(name)} failed`);
      };
    },
  });
}

function failingDatabase(db: D1Database, fails: () => boolean): D1Database {
  const statement = (prepared: D1PreparedStatement): D1PreparedStatement => {
    const faulty = failing(prepared, ["run", "all", "first"], fails);
    originals.set(faulty, prepared);
    return new Proxy(faulty, {
      get: (_, name) => {
        const value: unknown = Reflect.get(faulty, name);
        if (name !== "bind" || typeof value !== "function") return value;
        return (...given: unknown[]) => {
          const bound = statement(prepared.bind(...given));
          return bound;
        };
      },
    });
  };
  const originals = new WeakMap<object, D1PreparedStatement>();
  return new Proxy(db, {
    get(_, name) {
      if (name === "prepare") return (query: string) => statement(db.prepare(query));
      if (name === "batch") {
        return async (statements: readonly D1PreparedStatement[]) => {
          if (fails()) throw new Error("torture: batch failed");
          return db.batch(statements.map((one) => originals.get(one) ?? one));
        };
      }
      const value: unknown = Reflect.get(db, name);
      return typeof value === "function" ? value.bind(db) : value;
    },
  });
}

function failingBucket(bucket: R2Bucket, fails: () => boolean): R2Bucket {
  return failing(bucket, ["get", "put", "head", "list", "delete"], fails);
}

function failingQueue(queue: Queue, rates: FaultRates): Queue {
  const send = async (message: unknown): Promise<void> => {
    if (happens(rates, "lost")) return;
    if (happens(rates, "doubled")) await queue.send(message);
    const isLate = happens(rates, "late");
    await queue.send(message, isLate ? { delaySeconds: lateSeconds } : {});
  };
  return new Proxy(queue, {
    get: (_, name) => {
      if (name === "send") return send;
      const value: unknown = Reflect.get(queue, name);
      return typeof value === "function" ? value.bind(queue) : value;
    },
  });
}
