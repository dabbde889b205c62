/** A share that is told is at least so much more than the last one, and so much later. */
const leastPercent = 10;
const leastMs = 1000;

/**
 * Reads the progress that `git fetch --progress` writes, and tells of what has come: a fetch of a second says nothing, and
 * the longest one some ten times.
 */
export class FetchProgress {
  readonly #tell: (percent: number) => void;
  readonly #now: () => number;
  #toldAt: number;
  #told = 0;
  /** The last line so far: git's words come in pieces. */
  #line = "";

  constructor(tell: (percent: number) => void, now: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#now = now;
    this.#toldAt = now();
  }

  read(text: string): void {
    const lines = (this.#line + text).split(/[\r\n]/);
    this.#line = lines.at(-1) ?? "";
    const percents = lines.flatMap((line) => {
      const percent = /^(?:Receiving|Unpacking) objects: +(\d+)%/.exec(line)?.[1];
      return percent === undefined ? [] : [Number(percent)];
    });
    const last = percents.at(-1);
    const at = this.#now();
    if (last === undefined || last < this.#told + leastPercent || at < this.#toldAt + leastMs)
      return;
    this.#told = last;
    this.#toldAt = at;
    this.#tell(last);
  }
}
