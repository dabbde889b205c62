import type { PlatformEnv } from "../platform-env.ts";

declare global {
  namespace Cloudflare {
    /** `env` of "cloudflare:workers" in tests is what wrangler.toml binds. */
    interface Env extends PlatformEnv {}
  }
}
