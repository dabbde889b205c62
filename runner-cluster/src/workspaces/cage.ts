import type { ProjectLayout } from "./project-layout.ts";

/** What a command is wrapped in. Made per project. */
export interface Cage {
  readonly isolated: boolean;
  /** HOME and TMPDIR as the command sees them. */
  readonly home: string;
  readonly tmp: string;
  /** Further variables that the command needs to live in there. */
  readonly variables: Readonly<Record<string, string>>;
  /** Program and arguments that run `command` in `cwd`, an absolute path in the project. */
  wrap(command: string, cwd: string): readonly string[];
}

export type MakeCage = (layout: ProjectLayout, visible: readonly string[]) => Promise<Cage>;

/** The project's own home inside a cage. */
export const cagedHome = "/home/agent";
