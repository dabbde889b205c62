import type { PageQuery } from "@millrace/contracts";
import type { Page, ThreadProject } from "@millrace/durable-objects";
import { d1 } from "@millrace/migrations";
import { and, count, desc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Caller } from "./edge-env.ts";

const { projects } = d1;

/** The projects that a caller may see, last changed first. */
export async function listProjects(
  db: D1Database,
  caller: Caller,
  { limit, offset }: PageQuery,
): Promise<Page<ThreadProject>> {
  const registry = drizzle(db);
  const visible = and(
    eq(projects.orgId, caller.orgId),
    caller.projectId === null ? undefined : eq(projects.id, caller.projectId),
  );
  const [items, [counted]] = await registry.batch([
    registry
      .select()
      .from(projects)
      .where(visible)
      .orderBy(desc(projects.updatedAt), desc(projects.createdAt), projects.id)
      .limit(limit)
      .offset(offset),
    registry.select({ total: count() }).from(projects).where(visible),
  ]);
  return { items, total: counted?.total ?? 0 };
}
