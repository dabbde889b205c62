import type { ProjectLayout } from "./project-layout.ts";

/** What a project's commands are wrapped in. */
export interface Cage {
  /** HOME and TMPDIR as the command sees them. */
  readonly home: string;
  readonly tmp: string;
  /** Further variables that the command needs to live in there. */
  readonly variables: Readonly<Record<string, string>>;
  /** Program and arguments that run `command` in `cwd`, an absolute path in the project. */
  wrap(command: string, cwd: string): readonly string[];
}

/** One way to run commands on this machine. */
export interface CageKind {
  readonly name: string;
  /** Commands see only their project's directory. */
  readonly isolates: boolean;
  make(layout: ProjectLayout, visible: readonly string[]): Promise<Cage>;
}

/** The project's own home inside a cage. */
export const cagedHome = "/home/agent";
