import { DurableObject } from "cloudflare:workers";
import type { PlatformEnv } from "../platform-env.ts";
import { readQuotas } from "../quotas.ts";
import { decideDraw, type Bucket, type Draw } from "./decide-draw.ts";
import { OpenRuns } from "./open-runs.ts";
import { orgSocketPaths, type OrgRpc } from "./org-rpc.ts";

const maxBuckets = 10_000;
/** Of a key's burst, what one isolate holds at most: the rest is for the others. */
const shareOfBurst = 40;

const openRunsOf =
  "SELECT COUNT(*) AS n FROM (SELECT 1 FROM run_index WHERE org_id = ?" +
  " AND status IN ('queued', 'dispatched', 'running', 'waiting', 'cancelling') LIMIT ?)";

/**
 * What an org uses right now. It stores nothing: readers are sockets, open runs are in the registry, and a bucket that
 * is forgotten is a full one.
 */
export class OrgObject extends DurableObject<PlatformEnv> implements OrgRpc {
  readonly #buckets = new Map<string, Bucket>();
  readonly #openRuns = new OpenRuns((most) => this.#askRegistry(most));

  async draw(keyId: string, handful: boolean): Promise<Draw> {
    const ratePerSecond = readQuotas(this.env).LIMIT_REQUESTS_PER_SECOND;
    const burst = 2 * ratePerSecond;
    const most = handful ? Math.ceil(burst / shareOfBurst) : 1;
    const now = Date.now();
    const known = this.#buckets.get(keyId) ?? { tokens: burst, at: now };
    const { bucket, draw } = decideDraw(known, { ratePerSecond, burst, most, now });
    if (this.#buckets.size >= maxBuckets) this.#buckets.clear();
    this.#buckets.set(keyId, bucket);
    return draw;
  }

  drawRuns(handful: boolean): Promise<Draw> {
    const max = readQuotas(this.env).LIMIT_OPEN_RUNS_PER_ORG;
    return this.#openRuns.draw({ max, handful, now: Date.now() });
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const isReader = pathname === orgSocketPaths.reader;
    if (!isReader || request.headers.get("upgrade") !== "websocket") {
      return new Response(null, { status: 404 });
    }
    const readers = this.ctx.getWebSockets().filter((socket) => socket.readyState === 1).length;
    if (readers >= readQuotas(this.env).LIMIT_READERS_PER_ORG) {
      return new Response(null, { status: 429 });
    }
    const { 0: client, 1: socket } = new WebSocketPair();
    this.ctx.acceptWebSocket(socket);
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    socket.close();
  }

  async #askRegistry(most: number): Promise<number> {
    // The object's name is the org.
    const orgId = this.ctx.id.name ?? "";
    const row = await this.env.DB.prepare(openRunsOf).bind(orgId, most).first<{ n: number }>();
    return row?.n ?? 0;
  }
}
