/** What is noted of the machine of a container that goes on where another one was saved. */

import { newRunState, type RunState } from "../daemon/run-state.ts";
import type { SavedRun } from "./snapshot-meta.ts";

/** Further processes run on, and nobody asks for their output any more. */
export function restoredState(container: string, saved: SavedRun): RunState {
  const { generation, stdio, inGuest, offsets } = saved;
  return { ...newRunState(container), generation, stdio, inGuest, base: offsets };
}
