import { ask } from "./api.ts";

/** What arrived and was not looked at yet. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  #wake: (() => void) | undefined;

  put(item: Item): void {
    this.#items.push(item);
    this.#wake?.();
  }

  async next(): Promise<Item> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return item;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

export async function openSocket(
  path: string,
  token: string,
  hear: (text: string) => void,
): Promise<WebSocket> {
  const headers = { upgrade: "websocket", authorization: `Bearer ${token}` };
  const response = await ask(path, { headers, key: null });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  socket.addEventListener("message", ({ data }) => hear(String(data)));
  socket.accept();
  return socket;
}
