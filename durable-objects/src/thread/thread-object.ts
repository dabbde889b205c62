import { DurableObject } from "cloudflare:workers";
import type { PlatformEnv } from "../platform-env.ts";

export class ThreadObject extends DurableObject<PlatformEnv> {}
