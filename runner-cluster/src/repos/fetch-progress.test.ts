import { beforeEach, expect, it } from "vitest";
import { FetchProgress } from "./fetch-progress.ts";

let now: number;
let told: number[];
let progress: FetchProgress;

beforeEach(() => {
  now = 0;
  told = [];
  progress = new FetchProgress(
    (percent) => told.push(percent),
    () => now,
  );
});

const receiving = (percent: number): string => `Receiving objects: ${percent}% (${percent}/100)\r`;

it("tells of each tenth part, at most once a second", () => {
  for (let percent = 0; percent <= 100; percent++) {
    now += 150;
    progress.read(receiving(percent));
  }
  expect(told).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
});

it("says nothing of a fetch that is quick", () => {
  for (const percent of [1, 50, 100]) progress.read(receiving(percent));
  expect(told).toEqual([]);
});

it("reads lines that come in pieces, and no other's percents", () => {
  now = 5000;
  progress.read("remote: Compressing objects:  98% (394/402)        \rReceiving obj");
  expect(told).toEqual([]);
  progress.read("ects:  42% (169/402), 1.20 MiB | 600.00 KiB/s\r");
  expect(told).toEqual([42]);
});
