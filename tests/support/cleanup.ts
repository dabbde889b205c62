import { afterAll, onTestFinished, TestRunner } from "vitest";

type Release = () => Promise<void> | void;

const releasesOfFile: Release[] = [];

/**
 * Runs `release` at the end of the current test, passed or failed; called outside a test (in `beforeAll`),
 * at the end of the file. Last come, first served: a runner stops before its platform, a platform
 * before its directory goes.
 */
export function releaseAtEnd(release: Release): void {
  if (TestRunner.getCurrentTest()) onTestFinished(async () => release());
  else releasesOfFile.push(release);
}

afterAll(async () => {
  for (const release of releasesOfFile.toReversed()) await release();
});
