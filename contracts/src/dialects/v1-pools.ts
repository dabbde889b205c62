import { z } from "zod";
import { PoolName } from "../ids.ts";

/** Who could execute runs now. */
export const Pool = z
  .object({
    name: PoolName,
    workspaceBackend: z.enum(["host", "cluster"]).describe("Of runs that name the pool only."),
    /** An operator or a runner is connected. */
    connected: z.boolean(),
    version: z.string().nullable().describe("Of the leading operator."),
    lastSeenAt: z.iso
      .datetime()
      .nullable()
      .describe("When an operator or a runner last spoke, or was last connected."),
    waiting: z.int().nonnegative().describe("Runs that wait for a runner."),
    runners: z.object({
      connected: z.int().nonnegative(),
      slots: z.int().nonnegative(),
      free: z.int().nonnegative(),
      warm: z.int().nonnegative().describe("How many of them are idle pods for one session each."),
      versions: z.array(z.string()).describe("Of the connected ones, each once."),
      lastSeenAt: z.iso.datetime().nullable().describe("When one of the connected last spoke."),
    }),
    /** What the leading operator says of its cluster; null: none is connected. */
    cluster: z
      .object({
        free: z.int().nonnegative().nullable().describe("null: only the cluster's size limits it."),
        warm: z.object({ size: z.int(), ready: z.int() }),
        sessions: z.record(z.string(), z.int()),
      })
      .nullable(),
    operators: z.array(
      z.object({
        id: z.string(),
        version: z.string(),
        leader: z.boolean(),
        connectedAt: z.iso.datetime(),
        lastSeenAt: z.iso.datetime(),
      }),
    ),
  })
  .meta({ id: "Pool" });
export type Pool = z.infer<typeof Pool>;

export const PoolCreate = z
  .object({ name: PoolName, workspaceBackend: z.enum(["host", "cluster"]).default("cluster") })
  .meta({ id: "PoolCreate" });
export const PoolCreated = z
  .object({
    name: PoolName,
    workspaceBackend: z.enum(["host", "cluster"]),
    token: z.string().describe("Shown this once: what runners and operator join the pool with."),
  })
  .meta({ id: "PoolCreated" });
