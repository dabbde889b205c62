import type { PlatformEnv } from "@millrace/durable-objects";
import { app } from "./app.ts";
import { pruneLogs } from "./prune-logs.ts";
import { consumeQueue } from "./queue.ts";

export {
  OrgObject,
  PoolObject,
  RunObject,
  StreamObject,
  ThreadObject,
} from "@millrace/durable-objects";

export default {
  fetch: app.fetch,
  queue: consumeQueue,
  scheduled: (_event, env) => pruneLogs(env),
} satisfies ExportedHandler<PlatformEnv>;
