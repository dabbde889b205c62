import { z } from "zod";

/** A repository of the run as its directory was made. The run's checkpoint holds it. */
export const ClonedRepo = z.object({
  url: z.string(),
  /** Its directory in the workspace. */
  path: z.string(),
  /** Null with `commitSha`: the directory is older than the run, and what it came from is not known. */
  branch: z.string().nullable(),
  commitSha: z.string().nullable(),
});
export type ClonedRepo = z.infer<typeof ClonedRepo>;
