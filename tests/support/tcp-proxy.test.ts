import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { releaseAtEnd } from "./cleanup.ts";
import { TcpProxy } from "./tcp-proxy.ts";

interface Line {
  readonly proxy: TcpProxy;
  readonly client: Socket;
  /** What came back to the client so far. */
  readonly echoed: () => string;
  /** What arrived at the server so far. */
  readonly received: () => string;
}

/** A client that talks to an echo through the proxy. */
async function makeLine(): Promise<Line> {
  let received = "";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received += bytes.toString();
      socket.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  releaseAtEnd(() => void server.close());
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no port");
  const proxy = await TcpProxy.start(`http://127.0.0.1:${address.port}`);
  const client = connect(proxy.port, "127.0.0.1");
  client.on("error", () => undefined);
  releaseAtEnd(() => void client.destroy());
  let echoed = "";
  client.on("data", (bytes) => (echoed += bytes.toString()));
  await once(client, "connect");
  return { proxy, client, echoed: () => echoed, received: () => received };
}

/** `once` would reject: a reset is an error before it is a close. */
const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => {
    socket.once("close", resolve);
  });

it("passes bytes both ways, and holds and frees them", async () => {
  const { proxy, client, echoed, received } = await makeLine();
  client.write("a");
  await expect.poll(echoed).toBe("a");
  proxy.blackhole();
  client.write("b");
  await sleep(200);
  expect(received()).toBe("a");
  proxy.restore();
  await expect.poll(echoed).toBe("ab");
});

it("can lose only the answers", async () => {
  const { proxy, client, echoed, received } = await makeLine();
  proxy.blackhole("answers");
  client.write("a");
  await expect.poll(received).toBe("a");
  await sleep(200);
  expect(echoed()).toBe("");
  proxy.dropConnections();
  await closed(client);
  proxy.restore();
  expect(echoed()).toBe("");
});

it("cuts, refuses, and lets in again", async () => {
  const { proxy, client } = await makeLine();
  proxy.cut();
  await closed(client);
  expect(proxy.connections).toBe(0);
  const refused = connect(proxy.port, "127.0.0.1").on("error", () => undefined);
  await closed(refused);
  proxy.restore();
  const welcome = connect(proxy.port, "127.0.0.1").on("error", () => undefined);
  releaseAtEnd(() => void welcome.destroy());
  welcome.write("hello");
  const [bytes] = (await once(welcome, "data")) as [Buffer];
  expect(bytes.toString()).toBe("hello");
});

it("loses what is said behind so many pieces", async () => {
  const { proxy, client, echoed, received } = await makeLine();
  proxy.fateOf = () => ({ fate: "lose_messages", afterPieces: 1 });
  for (const said of ["a", "ab"]) {
    client.write(said.slice(-1));
    await expect.poll(echoed).toBe(said);
  }
  client.write("c");
  await expect.poll(() => proxy.losses).toBe(1);
  expect(received()).toBe("abc");
  expect(echoed()).toBe("ab");
});
