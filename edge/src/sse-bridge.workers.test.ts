import { encodeEvent, encodeRow, limits } from "@millrace/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { projectRows } from "./projectors/v1/frames.ts";
import { sseStream, StreamInterrupted } from "./sse-bridge.ts";

const credit = limits.readerCreditBytes;
const patience = { timeout: 20_000 };

/** The object's end of a reader's socket. */
interface ObjectEnd {
  readonly after: number;
  readonly socket: WebSocket;
  readonly heard: string[];
  readonly closed: number[];
}

/** A reader that the test feeds. `open` stands in for the object's answer to a handshake. */
function makeReader(after = 0, refuse = false, lifetimeMs?: number) {
  const opened: ObjectEnd[] = [];
  const open = (cursor: number): WebSocket => {
    const { 0: client, 1: socket } = new WebSocketPair();
    const end: ObjectEnd = { after: cursor, socket, heard: [], closed: [] };
    socket.addEventListener("message", ({ data }) => void end.heard.push(String(data)));
    socket.addEventListener("close", ({ code }) => void end.closed.push(code));
    socket.accept();
    opened.push(end);
    return client;
  };
  const source = {
    open: (cursor: number) => Promise.resolve(refuse ? null : open(cursor)),
    project: (rows: string, cursor: number) =>
      projectRows(rows, cursor, { projectId: "p", runId: "run" }),
    ...(lifetimeMs !== undefined && { lifetimeMs }),
  };
  const reader = sseStream(source, open(after), after).getReader();
  return { reader, opened, end: (n = 0): ObjectEnd => opened[n] ?? raise(`no socket ${n}`) };
}

function raise(message: string): never {
  throw new Error(message);
}

const row = (first: number, ...texts: readonly string[]) => {
  const events = texts.map((text) =>
    encodeEvent({ type: "text.delta", data: { messageId: "m", text } }),
  );
  return encodeRow({ first, at: 0, body: events.join("") });
};

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function read(reader: Reader): Promise<string> {
  const { value, done } = await reader.read();
  if (done) raise("the stream has ended");
  return new TextDecoder().decode(value);
}

const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

async function readIds(reader: Reader, last: number): Promise<readonly number[]> {
  const seen: number[] = [];
  while (seen.at(-1) !== last) seen.push(...ids(await read(reader)));
  return seen;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the bridge", () => {
  it("passes on what comes, and ends when the object does", async () => {
    const { reader, end } = makeReader();
    end().socket.send(row(1, "a", "b"));
    expect(await readIds(reader, 2)).toEqual([1, 2]);
    end().socket.send(row(3, "c"));
    end().socket.close(1000);
    expect(await readIds(reader, 3)).toEqual([3]);
    expect(await reader.read()).toEqual({ done: true, value: undefined });
  });

  it("leaves out what the client has seen of a row", async () => {
    const { reader, end } = makeReader(2);
    end().socket.send(row(1, "a", "b", "c"));
    expect(await readIds(reader, 3)).toEqual([3]);
  });

  it("goes on where it was when the object's socket breaks", async () => {
    const { reader, end, opened } = makeReader();
    end().socket.send(row(1, "a"));
    expect(await readIds(reader, 1)).toEqual([1]);
    end().socket.close(1011);
    const rest = readIds(reader, 3);
    await vi.waitFor(() => expect(opened).toHaveLength(2), patience);
    expect(end(1).after).toBe(1);
    end(1).socket.send(row(1, "a", "b", "c"));
    expect(await rest).toEqual([2, 3]);
  });

  it("gives up after a bounded number of tries, and does not pretend that the run has ended", async () => {
    const { reader, end } = makeReader(0, true);
    end().socket.close(1011);
    await expect(reader.read()).rejects.toThrow(StreamInterrupted);
  });

  it("reports what the client took, in portions, and nothing that it did not take", async () => {
    const { reader, end } = makeReader();
    const text = "x".repeat(credit / 8);
    let sent = 0;
    for (let n = 1; n <= 8; n += 1) {
      const message = row(n, text);
      sent += message.length;
      end().socket.send(message);
    }
    const reported = () => end().heard.reduce((sum, taken) => sum + Number(taken), 0);
    await scheduler.wait(50);
    expect(reported()).toBe(0);
    await readIds(reader, 8);
    expect(reported()).toBeLessThan(sent);
    // Asking for more is what says that the rest was taken.
    const more = reader.read();
    await vi.waitFor(() => expect(sent - reported()).toBeLessThan(credit / 4), patience);
    expect(end().heard.length).toBeLessThanOrEqual(4);
    end().socket.close(1000);
    await more;
  });

  it("hangs up when the client leaves", async () => {
    const { reader, end } = makeReader();
    end().socket.send(row(1, "a"));
    await readIds(reader, 1);
    await reader.cancel();
    await vi.waitFor(() => expect(end().closed).toEqual([1000]), patience);
  });

  it("breaks the response of a client that the object cut loose", async () => {
    const { reader, end } = makeReader();
    end().socket.send(row(1, "a"));
    end().socket.close(1013, "stuck");
    await expect(readIds(reader, Infinity)).rejects.toThrow(StreamInterrupted);
  });

  it("keeps a silent stream open with comments", async () => {
    vi.useFakeTimers();
    const { reader, end } = makeReader();
    const first = read(reader);
    await vi.advanceTimersByTimeAsync(limits.sseHeartbeatMs);
    expect(await first).toBe(": keep-alive\n\n");
    const second = read(reader);
    await vi.advanceTimersByTimeAsync(limits.sseHeartbeatMs);
    expect(await second).toBe(": keep-alive\n\n");
    vi.useRealTimers();
    end().socket.send(row(1, "a"));
    expect(await readIds(reader, 1)).toEqual([1]);
  });

  it("ends a stream that is old, after a whole frame, and hangs up", async () => {
    vi.useFakeTimers();
    const { reader, end } = makeReader(0, false, 1_000);
    end().socket.send(row(1, "a"));
    expect(await readIds(reader, 1)).toEqual([1]);
    const rest = reader.read();
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    expect(await rest).toEqual({ done: true, value: undefined });
    await vi.waitFor(() => expect(end().closed).toEqual([1000]), patience);
  });
});
