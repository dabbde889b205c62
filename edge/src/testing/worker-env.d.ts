import type { PlatformEnv } from "@millrace/durable-objects";
import type * as worker from "../worker.ts";

declare global {
  namespace Cloudflare {
    /** `env` of "cloudflare:workers" in tests is what wrangler.toml binds. */
    interface Env extends PlatformEnv {}
    interface GlobalProps {
      mainModule: typeof worker;
    }
  }
}
