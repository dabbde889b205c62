import { expect, it } from "vitest";
import { settle } from "../testing/fake-clock.ts";
import { CommandQueue } from "./command-queue.ts";

function start(atATime: number) {
  const queue = new CommandQueue(atATime);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (key: string): void =>
    queue.add(key, () => {
      begun.push(key);
      return new Promise((resolve) => ends.set(key, resolve));
    });
  const end = async (key: string): Promise<void> => {
    ends.get(key)?.();
    await settle();
  };
  return { queue, begun, add, end };
}

it("obeys so many at a time, in the order in which they came", async () => {
  const { begun, add, end } = start(2);
  for (const key of ["a", "b", "c", "d"]) add(key);
  expect(begun).toEqual(["a", "b"]);
  await end("b");
  expect(begun).toEqual(["a", "b", "c"]);
  await end("a");
  await end("c");
  expect(begun).toEqual(["a", "b", "c", "d"]);
});

it("obeys once what comes again while it waits or is obeyed, and anew what comes after", async () => {
  const { begun, add, end } = start(1);
  for (const key of ["a", "b", "a", "b"]) add(key);
  await end("a");
  await end("b");
  expect(begun).toEqual(["a", "b"]);
  add("a");
  expect(begun).toEqual(["a", "b", "a"]);
});

it("forgets what waits when it is told to", async () => {
  const { queue, begun, add, end } = start(1);
  for (const key of ["a", "b"]) add(key);
  queue.clear();
  await end("a");
  expect(begun).toEqual(["a"]);
});
