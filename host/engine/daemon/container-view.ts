/** A container as its users see it: its record, and what there is of it while it runs. */

import type { ContainerRecord } from "../container-record.ts";
import type { GuestRun } from "./guest-run.ts";
import type { ContainerView, HealthState } from "./model.ts";

export function containerView(
  kept: ContainerRecord,
  live: {
    readonly run: GuestRun | undefined;
    readonly health: HealthState | undefined;
    readonly removing: boolean;
    readonly logPath: string | undefined;
  },
): ContainerView {
  const { version: _, stoppedByUser: __, ...record } = kept;
  const { run, health, removing, logPath } = live;
  return {
    ...record,
    state: {
      ...record.state,
      ...(run ? { pid: run.pid } : {}),
      ...(health ? { health } : {}),
      ...(removing ? { status: "removing" as const } : {}),
    },
    execs: run?.execs.ids() ?? [],
    ...(run ? { networks: run.networks } : {}),
    ...(logPath === undefined ? {} : { logPath }),
  };
}
