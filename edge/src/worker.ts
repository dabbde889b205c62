import type { PlatformEnv } from "@millrace/durable-objects";
import { app } from "./app.ts";
import { pruneLogs } from "./prune-logs.ts";
import { consumeQueue } from "./queue.ts";
import { pruneDeliveries } from "./webhooks/prune-deliveries.ts";

export {
  LiveLogObject,
  OrgObject,
  PoolObject,
  RunObject,
  StreamObject,
  SubscriptionsObject,
  ThreadObject,
} from "@millrace/durable-objects";

export default {
  fetch: app.fetch,
  queue: consumeQueue,
  scheduled: async (_event, env) => {
    await Promise.all([pruneLogs(env), pruneDeliveries(env)]);
  },
} satisfies ExportedHandler<PlatformEnv>;
