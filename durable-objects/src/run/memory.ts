import type { ProducerPosition } from "./decide-append.ts";
import type { Lease } from "./decide-expiry.ts";
import type { Tail } from "../log/log-rows.ts";
import { createdState, type RunState } from "./state.ts";
import type { RunStore } from "./store.ts";

/** What the object knows without asking its store. Replaced as a whole, after each commit. */
export interface RunMemory {
  readonly state: RunState;
  readonly tail: Tail;
  readonly position: ProducerPosition;
  readonly lease: Lease | null;
}

/** As the store has it; of a run that was never initialised, what it starts from. */
export function loadMemory(store: RunStore, now: number): RunMemory {
  const lease = store.due("lease");
  return {
    state: store.loadState() ?? createdState(now),
    tail: store.tail(),
    position: store.position(),
    lease: lease && { until: lease.at, graced: lease.mark === 1 },
  };
}
