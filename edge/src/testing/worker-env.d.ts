import type { PlatformEnv } from "@millrace/durable-objects";

declare global {
  namespace Cloudflare {
    /** `env` of "cloudflare:workers" in tests is what wrangler.toml binds. */
    interface Env extends PlatformEnv {}
    interface GlobalProps {
      mainModule: typeof import("../worker.ts");
    }
  }
}
