import type { PlatformEnv, WarmTokenClaims } from "@millrace/durable-objects";

/** Who asks, once their API key was accepted. */
export interface Caller {
  readonly orgId: string;
  readonly keyId: string;
  readonly role: "admin" | "member" | "viewer";
  /** Null: every project of the org. */
  readonly projectId: string | null;
}

/** The attempt that a run token speaks for. */
export interface Attempt {
  readonly orgId: string;
  readonly runId: string;
  readonly attempt: number;
}

/** The pool whose token was shown. */
export interface JoinedPool {
  readonly orgId: string;
  readonly pool: string;
}

/** Whoever was woken for a subscription, and shows the wake's token. */
interface Woken {
  readonly orgId: string;
  readonly subscriptionUid: string;
  readonly token: string;
}

export interface EdgeEnv {
  Bindings: PlatformEnv;
  Variables: { requestId: string };
}

/** Behind `requireApiKey`. */
export interface CallerEnv extends EdgeEnv {
  Variables: EdgeEnv["Variables"] & { caller: Caller };
}

/** Behind `requirePoolToken`. */
export interface PoolEnv extends EdgeEnv {
  Variables: EdgeEnv["Variables"] & { joined: JoinedPool };
}

/** Behind `requireWakeToken`. */
export interface WokenEnv extends EdgeEnv {
  Variables: EdgeEnv["Variables"] & { woken: Woken };
}

/** Behind `requireRunnerToken`. */
export interface RunnerEnv extends PoolEnv {
  /** Null: a runner with the pool's own token. */
  Variables: PoolEnv["Variables"] & { warm: WarmTokenClaims | null };
}

/** Behind `requireRunToken`. */
export interface AttemptEnv extends EdgeEnv {
  Variables: EdgeEnv["Variables"] & { attempt: Attempt };
}

export const defaultOrg = {
  id: "00000000-0000-7000-8000-000000000001",
  slug: "default",
  name: "Default",
} as const;

export const defaultPool = "default";
