import { z } from "zod";

/** A `/v1` project id: the caller's slug, or a UUID when none was given. */
export const ProjectId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
export type ProjectId = z.infer<typeof ProjectId>;

/** UUID v7, lower case. */
export const RunId = z.uuid();
export type RunId = z.infer<typeof RunId>;

export const OrgId = z.string().min(1).max(64);
export type OrgId = z.infer<typeof OrgId>;

export const PoolName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
export type PoolName = z.infer<typeof PoolName>;

/** A runner process, new at each start. */
export const RunnerId = z.uuid();
export type RunnerId = z.infer<typeof RunnerId>;
