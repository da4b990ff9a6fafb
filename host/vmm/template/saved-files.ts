/** The files of a machine that was saved in two parts. */

import type { PageRun } from "./working-set.ts";

export interface SavedFiles {
  readonly memory: string;
  /** all but the memory, see `MachineState` */
  readonly state: string;
  /** parts of the memory that are touched at once, so they are brought in before; absent: none is known */
  readonly runs?: readonly PageRun[];
}
