/** The process of a VMM as seen from outside: our child, or one that another process has started. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { processStartTime } from "../../sys/process-start-time.ts";
import { VmmError } from "../errors.ts";
import type { MachineConfig } from "../hypervisor.ts";
import type { Task } from "./main.ts";
import { RunFile } from "./open-machine.ts";
import { Told } from "./progress.ts";

/** No debugging port that a signal could open, and nothing on standard error that is no error. */
const NODE_FLAGS = ["--disable-sigusr1", "--no-warnings"];

/** Name that the process shows, followed by its run directory. */
const PROCESS_NAME = "dvm-vmm";

/** Between two looks whether a process that is not our child has ended, in `milliseconds`. */
const LOOK_AGAIN = 20;

export interface VmmLink {
  readonly pid: number;
  /** its guest's memory, in `MiB` */
  readonly memoryMiB: number;
  /** settles when the process has ended; code and signal are null when it was not our child */
  readonly ended: Promise<VmmProcessEnd>;
  /** resolves when the machine is about to run its first instruction */
  readonly running: Promise<void>;
  /** resolves when the guest has opened the agent's port */
  readonly guestOpened: Promise<void>;
  /** Sends a signal; no effect on a process that has ended. */
  signal(name: NodeJS.Signals): void;
}

export interface VmmProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface VmmChild extends VmmLink {
  /** Gives it its machine. */
  begin(task: Task): void;
  /** resolves when it waits for its machine */
  readonly waiting: Promise<void>;
}

/**
 * Starts a VMM, which waits for its machine.
 *
 * @param main path of the VMM's main module
 * @param machine that it is or will be, as far as it must be known now
 * @param descriptors to inherit, from 3 on
 * @throws {VmmError} VMM_SPAWN_FAILED
 */
export async function spawnVmm(
  main: string,
  { runDirectory, vcpus, memoryMiB }: MachineConfig,
  descriptors: readonly number[] = [],
): Promise<VmmChild> {
  const log = openSync(join(runDirectory, RunFile.vmmLog), "w");
  // In a session of its own: no terminal's signal reaches it.
  const child = spawn(process.execPath, [...NODE_FLAGS, main, runDirectory, String(vcpus)], {
    argv0: PROCESS_NAME,
    stdio: ["pipe", "pipe", log, ...descriptors],
    detached: true,
    cwd: "/",
    env: {},
  });
  closeSync(log);
  const ended = endOf(child);
  await spawned(child);
  child.stdin?.on("error", () => {}); // a child that ended before it read: its exit tells more
  const pid = child.pid ?? -1;
  const identity: Identity = { pid, memoryMiB, startTime: processStartTime(pid) ?? "" };
  writeFileSync(join(runDirectory, RunFile.identity), JSON.stringify(identity));
  return {
    pid,
    memoryMiB,
    ended,
    signal: (name) => void child.kill(name),
    begin: (task) => child.stdin?.end(JSON.stringify(task)),
    waiting: heard(child, Told.waiting),
    running: heard(child, Told.running),
    guestOpened: heard(child, Told.guestOpen),
  };
}

function endOf(child: ChildProcess): Promise<VmmProcessEnd> {
  const { promise, resolve } = Promise.withResolvers<VmmProcessEnd>();
  child.once("exit", (code, signal) => resolve({ code, signal }));
  return promise;
}

function spawned(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("spawn", () => resolve());
  child.once("error", (cause) =>
    reject(new VmmError("VMM_SPAWN_FAILED", cause.message, { cause })),
  );
  return promise;
}

function heard(child: ChildProcess, what: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.stdout?.on("data", (data: Buffer) => {
    if (data.includes(what)) resolve();
  });
  return promise;
}

/** What the starter of a VMM leaves in the run directory for those who adopt it. */
interface Identity extends Pick<VmmLink, "pid" | "memoryMiB"> {
  /** see `processStartTime` */
  readonly startTime: string;
}

/**
 * Finds the VMM that another process started in this run directory.
 *
 * @throws {VmmError} VMM_GONE
 */
export function findVmm({ id, runDirectory }: { id: string; runDirectory: string }): VmmLink {
  const { pid, memoryMiB, startTime } = readIdentity(join(runDirectory, RunFile.identity));
  const lives = (): boolean => processStartTime(pid) === startTime;
  if (!lives()) throw new VmmError("VMM_GONE", `the virtual machine ${id} is no more`);
  return {
    pid,
    memoryMiB,
    ended: endOfStranger(lives),
    running: Promise.resolve(),
    guestOpened: Promise.resolve(),
    signal: (name) => {
      if (lives()) process.kill(pid, name);
    },
  };
}

function readIdentity(path: string): Identity {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Identity; // written above, in a private folder
  } catch {
    return { pid: -1, memoryMiB: 0, startTime: "" };
  }
}

async function endOfStranger(lives: () => boolean): Promise<VmmProcessEnd> {
  while (lives()) await setTimeout(LOOK_AGAIN, undefined, { ref: false });
  return { code: null, signal: null };
}
