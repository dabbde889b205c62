import type { Session } from "./session.ts";

/** Who acts when the spec of a session asks for something, for the run's log. */
export function actorOf({ spec, metadata }: Session): string {
  return (spec.owner ?? `session:${metadata.namespace}/${metadata.name}`).slice(0, 253);
}
