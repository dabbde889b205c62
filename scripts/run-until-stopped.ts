import { ProcessGroup } from "./process-group.ts";
import { StartRefused } from "./settings.ts";

/** What a start has brought up. */
export interface Running {
  /** Resolves when it can no longer do its work, with the reason. */
  readonly failed: Promise<StartRefused>;
  /** Takes it down in good order. */
  stop(): Promise<void>;
}

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const killedExitCode = 130;

/**
 * Runs a start until a signal stops it or it fails, and sets the exit code. A start still under way is
 * aborted through its `signal`. A second signal waits for nothing: the groups die with this process.
 */
export async function runUntilStopped(
  start: (signal: AbortSignal) => Promise<Running>,
): Promise<void> {
  const stop = Promise.withResolvers<null>();
  const starting = new AbortController();
  let isStopping = false;
  const onSignal = (): void => {
    if (isStopping) process.exit(killedExitCode);
    isStopping = true;
    process.stdout.write("\nStopping … (again to kill)\n");
    starting.abort();
    stop.resolve(null);
  };
  for (const name of stopSignals) process.on(name, onSignal);
  try {
    const running = await start(starting.signal);
    const failure = await Promise.race([stop.promise, running.failed]);
    isStopping = true;
    await running.stop();
    if (failure) throw failure;
  } catch (error) {
    if (!isStopping || error instanceof StartRefused) tell(error);
  } finally {
    await ProcessGroup.killAll();
    for (const name of stopSignals) process.off(name, onSignal);
  }
}

function tell(error: unknown): void {
  if (!(error instanceof StartRefused)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
