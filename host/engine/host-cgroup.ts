/**
 * A control group of the host around a virtual machine, by which machines compete: weights say nothing within a machine
 * that has one container. Version 1 and 2 of the kernel's cgroups, mixed too; for root alone.
 */

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ResourceConfig } from "./container-config.ts";
import { shortId } from "./container-name.ts";

/** Folder of all machines in each hierarchy. */
const PARENT = "dvm";
/** Tries to remove a group whose last process has just ended, and the time between two, in `milliseconds`. */
const TRIES = 50;
const TRY_AGAIN = 10;

/** One value in the terms of both versions (kernel Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst). */
interface Setting {
  readonly controller: "cpu" | "blkio";
  readonly v1: { readonly files: readonly string[]; readonly value: string };
  readonly v2: { readonly controller: string; readonly file: string; readonly value: string };
}

/** A mounted hierarchy. */
export interface Hierarchy {
  readonly path: string;
  /** controllers of version 1; absent: version 2 */
  readonly controllers?: readonly string[];
}

export class HostCgroup implements AsyncDisposable {
  readonly #name: string;
  readonly #hierarchies: readonly Hierarchy[];

  constructor(container: string, hierarchies: readonly Hierarchy[] = mountedHierarchies()) {
    this.#name = shortId(container);
    this.#hierarchies = hierarchies;
  }

  /**
   * Puts the machine's process and what it will start into the group, and sets the weights that are asked for.
   *
   * @returns what is asked for and cannot be set here, in words
   */
  admit(pid: number, resources: ResourceConfig): string[] {
    return settingsOf(resources).flatMap((setting) => {
      try {
        return this.#set(setting, pid) ? [] : [`${setting.controller}: this host has no weights`];
      } catch (error) {
        return [`${setting.controller}: ${(error as Error).message}`];
      }
    });
  }

  /** Once the machine is no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { path } of this.#hierarchies) {
      for (let tries = 0; tries < TRIES && isStillThere(join(path, PARENT, this.#name)); tries++) {
        await setTimeout(TRY_AGAIN);
      }
    }
  }

  #set({ controller, v1, v2 }: Setting, pid: number): boolean {
    const first = this.#hierarchies.find(({ controllers }) => controllers?.includes(controller));
    const second = this.#hierarchies.find(({ controllers }) => controllers === undefined);
    if (first !== undefined) {
      const group = this.#group(first.path);
      const file = v1.files.find((name) => writes(join(group, name), v1.value));
      if (file !== undefined) writeFileSync(join(group, "cgroup.procs"), `${pid}`);
      return file !== undefined;
    }
    if (second === undefined || !hasController(second.path, v2.controller)) return false;
    for (const folder of [second.path, join(second.path, PARENT)]) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "cgroup.subtree_control"), `+${v2.controller}`);
    }
    const group = this.#group(second.path);
    if (!writes(join(group, v2.file), v2.value)) return false;
    writeFileSync(join(group, "cgroup.procs"), `${pid}`);
    return true;
  }

  #group(hierarchy: string): string {
    const path = join(hierarchy, PARENT, this.#name);
    mkdirSync(path, { recursive: true });
    return path;
  }
}

/** Docker's scales in those of the kernel, as runc converts them. */
function settingsOf({ cpuShares = 0, blkioWeight = 0 }: ResourceConfig): Setting[] {
  const shares = Math.max(2, Math.min(cpuShares, 262_144));
  const cpu: Setting = {
    controller: "cpu",
    v1: { files: ["cpu.shares"], value: `${shares}` },
    v2: {
      controller: "cpu",
      file: "cpu.weight",
      value: `${1 + Math.trunc(((shares - 2) * 9999) / 262_142)}`,
    },
  };
  const io: Setting = {
    controller: "blkio",
    v1: { files: ["blkio.weight", "blkio.bfq.weight"], value: `${blkioWeight}` },
    v2: {
      controller: "io",
      file: "io.weight",
      value: `${1 + Math.trunc(((blkioWeight - 10) * 9999) / 990)}`,
    },
  };
  return [...(cpuShares > 0 ? [cpu] : []), ...(blkioWeight > 0 ? [io] : [])];
}

/** From the mounts of this process (proc_pid_mountinfo(5)); users other than root may change none. */
function mountedHierarchies(): Hierarchy[] {
  return process.getuid?.() === 0
    ? parseHierarchies(readFileSync("/proc/self/mountinfo", "utf8"))
    : [];
}

/** The hierarchies in the text of mountinfo. */
export function parseHierarchies(text: string): Hierarchy[] {
  return text.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const path = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (path === undefined || path.includes("\\")) return [];
    if (type === "cgroup2") return [{ path }];
    return type === "cgroup" ? [{ path, controllers: options.split(",") }] : [];
  });
}

function hasController(path: string, controller: string): boolean {
  return readFileSync(join(path, "cgroup.controllers"), "utf8")
    .trim()
    .split(" ")
    .includes(controller);
}

function writes(path: string, value: string): boolean {
  try {
    writeFileSync(path, value, { flag: "r+" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Removes an empty group. @returns whether it has processes still */
function isStillThere(path: string): boolean {
  try {
    rmdirSync(path);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EBUSY";
  }
}
