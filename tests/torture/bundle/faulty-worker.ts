/**
 * The platform's Worker as torture bundles it: the product's own, with bindings that fail. Nothing here is part of the
 * product, and the product knows nothing of it.
 */
import worker, {
  LiveLogObject as LiveLog,
  OrgObject as Org,
  PoolObject as Pool,
  RunObject as Run,
  StreamObject as Stream,
  SubscriptionsObject as Subscriptions,
  ThreadObject as Thread,
} from "../../../edge/src/worker.ts";
import { withFaults } from "./binding-faults.ts";

type Env = ConstructorParameters<typeof Run>[1];

export class RunObject extends Run {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class ThreadObject extends Thread {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class PoolObject extends Pool {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class StreamObject extends Stream {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class OrgObject extends Org {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class LiveLogObject extends LiveLog {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class SubscriptionsObject extends Subscriptions {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

// oxlint-disable-next-line import/no-default-export -- what the runtime starts
export default {
  fetch: (request, env, ctx) => worker.fetch(request, withFaults(env), ctx),
  queue: (batch, env) => worker.queue(batch, withFaults(env)),
} satisfies ExportedHandler<Env>;
