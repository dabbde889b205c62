import { z } from "zod";
import { ProjectId } from "../ids.ts";

/** What routes of several nouns have in common. */

export const projectParams = z.object({
  projectId: ProjectId.meta({ description: "Id of a project." }),
});

export const withKey = [{ apiKey: [] }, { bearer: [] }];

export const runParams = projectParams.extend({
  runId: z
    .string()
    .toLowerCase()
    .pipe(z.uuid())
    .meta({ type: "string", format: "uuid", description: "Id of a run." }),
});
