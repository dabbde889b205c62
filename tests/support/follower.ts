import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "./api.ts";
import { isTerminalFrame, nameOf, type Frame, type FrameStream } from "./sse.ts";

interface Followed {
  readonly projectId: string;
  readonly runId: string;
  /** A stream to begin with; left out, it opens one. */
  readonly stream?: FrameStream;
}

/** A reader that resumes by `Last-Event-ID` whenever its stream breaks, as a browser does. */
export class Follower {
  /** Everything that it was sent, over all its connections. */
  readonly frames: Frame[] = [];
  /** How often its stream broke before the run's end, or could not be opened. */
  breaks = 0;
  /** Resolves when the server has closed the stream behind a terminal frame. */
  readonly end: Promise<readonly Frame[]>;
  readonly #api: Api;
  readonly #run: Followed;
  #news = Promise.withResolvers<void>();

  constructor(api: Api, run: Followed, timeoutMs = 90_000) {
    this.#api = api;
    this.#run = run;
    this.end = this.#follow(Date.now() + timeoutMs);
    // A test that fails earlier does not look at it any more.
    this.end.catch(() => undefined);
  }

  /** The first frame that fits, seen already or still to come. */
  async until(fits: (frame: Frame) => boolean): Promise<Frame> {
    let looked = 0;
    for (;;) {
      const news = this.#news.promise.then(() => true);
      const found = this.frames.slice(looked).find(fits);
      if (found) return found;
      looked = this.frames.length;
      const isMore = await Promise.race([news, this.end.then(() => false)]);
      if (!isMore && looked === this.frames.length)
        throw new Error(`the run ended first: ${this.frames.map(nameOf).join(" ")}`);
    }
  }

  untilNamed(name: string): Promise<Frame> {
    return this.until((frame) => nameOf(frame) === name);
  }

  async #follow(deadline: number): Promise<readonly Frame[]> {
    for (let stream = this.#run.stream; Date.now() < deadline; stream = undefined) {
      if (await this.#readOnce(stream, deadline)) return this.frames;
      this.breaks += 1;
      await sleep(50);
    }
    throw new Error(`no end in sight: ${this.frames.map(nameOf).join(" ")}`);
  }

  /** Did the server end the stream behind a terminal frame? */
  async #readOnce(given: FrameStream | undefined, deadline: number): Promise<boolean> {
    const giveUp = AbortSignal.timeout(Math.max(1, deadline - Date.now()));
    try {
      const stream = given ?? (await this.#open());
      giveUp.addEventListener("abort", () => stream.leave(), { once: true });
      for (let frame = await stream.next(); frame; frame = await stream.next()) {
        this.frames.push(frame);
        this.#news.resolve();
        this.#news = Promise.withResolvers();
      }
    } catch {
      return false;
    }
    const last = this.frames.at(-1);
    return last !== undefined && isTerminalFrame(last);
  }

  #open(): Promise<FrameStream> {
    const last = this.frames.at(-1);
    const { projectId, runId } = this.#run;
    return this.#api.stream(projectId, runId, last === undefined ? {} : { lastEventId: last.id });
  }
}
