import { setTimeout as sleep } from "node:timers/promises";

/** The way to one server, which bounds what comes back and knows what is still on its way there. */
export class BoundedFetch {
  readonly #fetch: typeof fetch;
  readonly #maxBytes: number;
  /** Told besides: a client that reads a stream of events takes its failure for a pause. */
  onTooLarge: () => void = () => undefined;
  readonly #notices = new Set<Promise<unknown>>();

  constructor(base: typeof fetch, maxBytes: number) {
    this.#fetch = base;
    this.#maxBytes = maxBytes;
  }

  readonly fetch: typeof fetch = async (input, init) => {
    // What a server says of its own accord is of no use here; the rest of an answer that broke off is.
    if (init?.method === "GET" && !new Headers(init.headers).has("last-event-id")) {
      return new Response(null, { status: 405 });
    }
    const asked = this.#fetch(input, init);
    if (isNotice(init)) this.#track(asked);
    return this.#bound(await asked);
  };

  /** Resolves when no notice is on its way any more: a cancelled call is cancelled at the server too. */
  async settled(maxMs: number): Promise<void> {
    const waited = sleep(maxMs, undefined, { ref: false });
    await Promise.race([Promise.allSettled(this.#notices), waited]);
  }

  #track(asked: Promise<unknown>): void {
    const done = asked.catch(() => undefined).finally(() => this.#notices.delete(done));
    this.#notices.add(done);
  }

  #bound(response: Response): Response {
    if (response.body === null || (response.status >= 300 && response.status < 400))
      return response;
    let left = this.#maxBytes;
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        left -= chunk.byteLength;
        if (left >= 0) controller.enqueue(chunk);
        else this.#refuse(controller);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(counter), { status, statusText, headers });
  }

  #refuse(controller: TransformStreamDefaultController): void {
    controller.error(new Error("the server's answer is too large"));
    this.onTooLarge();
  }
}

/** A message of JSON-RPC without an id has no answer. */
function isNotice(init: RequestInit | undefined): boolean {
  if (typeof init?.body !== "string") return false;
  const message: unknown = JSON.parse(init.body);
  return typeof message === "object" && message !== null && !("id" in message);
}
