/** When a daemon that a client started for itself is to end: nobody has needed it for a while. */

import { setTimeout as delay } from "node:timers/promises";

export interface IdleWatch {
  /** since when nobody is connected, on the clock of `performance.now`; absent: somebody is */
  readonly clientsGoneSince: () => number | undefined;
  /** whether a container runs, or is to run again */
  readonly isNeeded: () => boolean;
  /** how long that has to last, in `seconds` */
  readonly idleTime: number;
}

/** Between two looks, in `milliseconds`. */
const INTERVAL = 5000;

/** Resolved when it has been so for as long; in the same turn, nobody is connected. */
export async function whenIdle(watch: IdleWatch): Promise<void> {
  const { clientsGoneSince, isNeeded, idleTime } = watch;
  const length = idleTime * 1000;
  let neededAt = performance.now();
  for (;;) {
    await delay(Math.min(Math.max(length / 4, 10), INTERVAL), undefined, { ref: false });
    const now = performance.now();
    if (isNeeded()) neededAt = now;
    const goneSince = clientsGoneSince();
    if (goneSince !== undefined && now - Math.max(goneSince, neededAt) >= length) return;
  }
}
