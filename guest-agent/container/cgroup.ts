/** A container's control group (kernel Documentation/admin-guide/cgroup-v2.rst). */

import { DT_DIR } from "../linux/dirent.ts";
import { O_CLOEXEC, O_DIRECTORY, O_RDONLY, SEEK_SET } from "../linux/fcntl.ts";
import { POLLPRI } from "../linux/poll.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import {
  ensureFolder,
  MAX_KERNEL_FILE,
  readText,
  readTextIfAny,
  readToEnd,
  writeSetting,
} from "./file-access.ts";
import type { CgroupSetting } from "./resources.ts";
import { decodeText } from "./text.ts";

/** controllers that containers are limited by, where the kernel has them */
const CONTROLLERS = ["cpu", "cpuset", "io", "memory", "pids"];

/** deepest control group that a container made and that is looked into */
const MAX_DEPTH = 8;

/** longest time between two looks at a dying group, in `milliseconds` */
const WAIT_STEP = 100;

/** most processes that are listed */
const MAX_PROCESSES = 16_384;

/** One container's control group, at `path`. */
export class Cgroup {
  readonly path: string;
  readonly name: string;
  readonly #sys: Syscalls;

  /** Makes the group below `parent`, a folder of the cgroup2 file system that holds groups alone. */
  static create(sys: Syscalls, parent: string, name: string): Cgroup {
    const path = `${parent}/${name}`;
    sys.mkdir(path, 0o755);
    return new Cgroup(sys, path, name);
  }

  private constructor(sys: Syscalls, path: string, name: string) {
    this.#sys = sys;
    this.path = path;
    this.name = name;
  }

  /** The folder for clone3(2) CLONE_INTO_CGROUP; the caller closes it. */
  open(): Fd {
    return this.#sys.open(this.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }

  /** @throws ContainerError `CONTAINER_SETUP` naming the limit that the kernel refused */
  apply(settings: readonly CgroupSetting[]): void {
    for (const { file, value } of settings) {
      try {
        writeSetting(this.#sys, `${this.path}/${file}`, value);
      } catch (error) {
        // A kernel without swap accounting has no limit to keep: neither has it the swap.
        if (file === "memory.swap.max" && isSyscallError(error, "ENOENT")) continue;
        if (!isSyscallError(error)) throw error;
        const step = { stage: "set limit", errno: error.errno, path: `${this.path}/${file}` };
        throw containerError(
          "CONTAINER_SETUP",
          `cannot set ${file} to ${value}: ${error.code}`,
          step,
        );
      }
    }
  }

  /** Stops every process; the kernel says `frozen 1` in cgroup.events when all have stopped. */
  freeze(): void {
    writeSetting(this.#sys, `${this.path}/cgroup.freeze`, "1");
  }

  thaw(): void {
    writeSetting(this.#sys, `${this.path}/cgroup.freeze`, "0");
  }

  /** Kills every process in the group and in those below it, frozen ones too. */
  kill(): void {
    writeSetting(this.#sys, `${this.path}/cgroup.kill`, "1");
  }

  /**
   * Kills every process and waits until none is left.
   *
   * @returns whether that was so within `timeout` milliseconds
   */
  killAndWait(timeout: number): boolean {
    const events = this.openEvents("cgroup.events");
    if (events === undefined) return true;
    try {
      this.kill();
      for (let left = Math.ceil(timeout / WAIT_STEP); left > 0; left--) {
        // Reading is what arms the next POLLPRI.
        if (readCounters(this.#sys, events).get("populated") !== 1) return true;
        this.#sys.poll([{ fd: events, events: POLLPRI }], WAIT_STEP);
      }
      return false;
    } finally {
      this.#sys.close(events);
    }
  }

  /** Number of processes killed for want of memory since the group was made. */
  get oomKills(): number {
    return this.counters("memory.events").get("oom_kill") ?? 0;
  }

  /** Opens a file of the group to be polled for POLLPRI; `undefined` without its controller. */
  openEvents(file: string): Fd | undefined {
    try {
      return this.#sys.open(`${this.path}/${file}`, O_RDONLY | O_CLOEXEC);
    } catch (error) {
      if (isSyscallError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** A flat keyed file: `name value` lines. Empty without its controller. */
  counters(file: string): Map<string, number> {
    return parseCounters(readTextIfAny(this.#sys, `${this.path}/${file}`) ?? "");
  }

  /** A file with one value: a number, `undefined` for `max` and without its controller. */
  value(file: string): number | undefined {
    const text = readTextIfAny(this.#sys, `${this.path}/${file}`)?.trim();
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  }

  /** Any file of the group; empty without its controller. */
  text(file: string): string {
    return readTextIfAny(this.#sys, `${this.path}/${file}`) ?? "";
  }

  /** Process numbers in the group and in those below it. */
  processes(): number[] {
    return processesBelow(this.#sys, this.path, MAX_DEPTH).slice(0, MAX_PROCESSES);
  }

  /** Removes the group and those below it, which must be empty of processes. */
  remove(): void {
    removeTree(this.#sys, this.path, MAX_DEPTH);
  }
}

/** Reads a flat keyed file that is open from its start. */
export function readCounters(sys: Syscalls, fd: Fd): Map<string, number> {
  sys.lseek(fd, 0, SEEK_SET);
  return parseCounters(decodeText(readToEnd(sys, fd, { limit: MAX_KERNEL_FILE })));
}

function parseCounters(text: string): Map<string, number> {
  const lines = text.split("\n").map((line) => line.split(" "));
  return new Map(lines.map(([name = "", value]) => [name, Number(value ?? 0)]));
}

/** Makes `path` below the cgroup2 file system at `top` a parent of containers' groups, with every controller. */
export function prepareCgroups(sys: Syscalls, top: string, path: string): void {
  enableControllers(sys, top);
  ensureFolder(sys, path);
  enableControllers(sys, path);
}

function enableControllers(sys: Syscalls, path: string): void {
  const available = readText(sys, `${path}/cgroup.controllers`).trim().split(" ");
  const wanted = CONTROLLERS.filter((name) => available.includes(name));
  if (wanted.length > 0) {
    writeSetting(sys, `${path}/cgroup.subtree_control`, wanted.map((name) => `+${name}`).join(" "));
  }
}

function processesBelow(sys: Syscalls, path: string, depth: number): number[] {
  const own = (readTextIfAny(sys, `${path}/cgroup.procs`) ?? "")
    .split("\n")
    .filter((line) => line !== "");
  const below =
    depth === 0
      ? []
      : groupsBelow(sys, path).flatMap((group) => processesBelow(sys, group, depth - 1));
  return [...own.map(Number), ...below];
}

function removeTree(sys: Syscalls, path: string, depth: number): void {
  if (depth > 0) for (const group of groupsBelow(sys, path)) removeTree(sys, group, depth - 1);
  try {
    sys.rmdir(path);
  } catch (error) {
    if (!isSyscallError(error, "ENOENT")) throw error;
  }
}

function groupsBelow(sys: Syscalls, path: string): string[] {
  const fd = sys.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    const folders = sys.getdents64(fd).filter(({ type }) => type === DT_DIR);
    return folders.map(({ name }) => `${path}/${name}`);
  } finally {
    sys.close(fd);
  }
}
