/**
 * Where a program lies that this one starts by its file: beside `from`, as TypeScript in the repository, as JavaScript in the
 * image, where all that a program imports is in one file with it.
 */
export const siblingProgram = (name: string, from: string): URL =>
  new URL(`${name}${from.slice(from.lastIndexOf("."))}`, from);
