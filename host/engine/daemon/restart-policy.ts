/** Whether and when a container that ended is started again (moby restartmanager). */

import type { ContainerRecord } from "../container-record.ts";
import type { DaemonContainerConfig, RestartPolicy } from "./model.ts";

/** Between the end and the first restart, in `milliseconds`; it doubles with each that follows. */
const FIRST_DELAY = 100;
const MAX_DELAY = 60_000;
/** A container that ran this long begins with the first delay again, in `milliseconds`. */
const LONG_RUN = 10_000;

export interface EndedRun {
  readonly policy: RestartPolicy | undefined;
  readonly exitCode: number;
  /** restarts so far */
  readonly restartCount: number;
  /** whether a user asked for the end */
  readonly stoppedByUser: boolean;
}

/** The last run of a container. */
export function endedRun({
  config,
  state,
  restartCount = 0,
  stoppedByUser = false,
}: ContainerRecord): EndedRun {
  const { restartPolicy: policy }: DaemonContainerConfig = config;
  return { policy, exitCode: state.exitCode ?? 0, restartCount, stoppedByUser };
}

export function isToRestart({ policy, exitCode, restartCount, stoppedByUser }: EndedRun): boolean {
  if (stoppedByUser) return false;
  switch (policy?.name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure": {
      const { maximumRetryCount: most } = policy;
      return exitCode !== 0 && (most === 0 || restartCount < most);
    }
    default:
      return false;
  }
}

/** Whether a daemon that comes up starts the container: with `always` even one that a user has stopped. */
export function isToStartWithDaemon(ended: EndedRun): boolean {
  return ended.policy?.name === "always" || isToRestart(ended);
}

/** The time before the next restart, in `milliseconds`. */
export function restartDelay(previous: number, ranFor: number): number {
  if (previous === 0 || ranFor >= LONG_RUN) return FIRST_DELAY;
  return Math.min(previous * 2, MAX_DELAY);
}
