/** What the next daemon must know of a machine that runs: `run.json` in its run directory. */

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stdio } from "#protocol";
import type { ShareConfig } from "../../vmm/hypervisor.ts";
import type { RunningShape } from "../beyond-machine.ts";
import type { ContainerExit } from "../container-exit.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";
import type { ExecConfig } from "./model.ts";

/** Version of the file. */
const RUN_STATE_VERSION = 1;

export interface ExecState {
  readonly id: string;
  readonly config: ExecConfig;
  readonly stdio: Stdio;
  readonly status: "created" | "running" | "exited";
  readonly exitCode?: number;
  readonly pid?: number;
}

export interface RunState {
  readonly version: typeof RUN_STATE_VERSION;
  readonly container: string;
  /** clients that the guest's agent has had before the one who reads this */
  readonly generation: number;
  /** streams of the first process; absent: it was not started yet */
  readonly stdio?: Stdio;
  readonly startedAt?: string;
  /** of one that goes on where another was saved: what the guest's agent calls it */
  readonly inGuest?: string;
  /** of the same: how far each stream was before its log began, in `bytes` */
  readonly base?: { readonly stdout: number; readonly stderr: number };
  /** how the process ended */
  readonly exit?: ContainerExit;
  readonly execs: readonly ExecState[];
  /** where the machine is connected */
  readonly networks?: ContainerNetworks;
  /** of its own machine; absent: it runs in another's, or began with a dvmd that did not note it */
  readonly shape?: RunningShape;
  /** what of the host the machine has; absent: nothing */
  readonly shares?: readonly ShareConfig[];
  /** container in whose machine it runs; absent: it has one of its own */
  readonly machine?: string;
  /** serials of the disks that it has in another's machine */
  readonly disks?: readonly string[];
}

export function newRunState(container: string): RunState {
  return { version: RUN_STATE_VERSION, container, generation: 0, execs: [] };
}

/** A reader sees the old state or the new one. */
export function writeRunState(runDirectory: string, state: RunState): void {
  const path = join(runDirectory, "run.json");
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined when there is none, or none of this version. */
export function readRunState(runDirectory: string): RunState | undefined {
  try {
    const state: Partial<RunState> = JSON.parse(
      readFileSync(join(runDirectory, "run.json"), "utf8"),
    );
    return state.version === RUN_STATE_VERSION ? (state as RunState) : undefined;
  } catch {
    return undefined;
  }
}
