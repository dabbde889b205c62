import type { PlatformEnv } from "@millrace/durable-objects";
import { app } from "./app.ts";
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
} satisfies ExportedHandler<PlatformEnv>;
