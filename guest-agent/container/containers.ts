/** The containers of this machine: the one door to them for the agent's event loop. */

import type {
  ContainerSpec,
  FileTask,
  ProcessSpec,
  Resources,
  Stdio,
  TerminalSize,
} from "../protocol/container-spec.ts";
import type { ContainerStats, ProcessInfo, RequestOf } from "../protocol/messages.ts";
import type { Fd, Syscalls } from "../syscalls/syscalls.ts";
import { prepareCgroups } from "./cgroup.ts";
import { Container, type ExitedProcess } from "./container.ts";
import type { Machine } from "./container-parts.ts";
import { Disks } from "./disks.ts";
import { type ContainerError, containerError } from "./errors.ts";
import { ensureFolder } from "./file-access.ts";
import { kernelPaths } from "./kernel-paths.ts";
import { Filters } from "./seccomp/filters.ts";
import type { StartedProcess } from "./start-process.ts";

/** Where containers are kept in the guest. */
export interface ContainersOptions {
  /** folder for mounts and files, made when missing */
  readonly run?: string;
  /** where the cgroup2 file system is mounted */
  readonly cgroups?: string;
}

/**
 * Life of a container: `create`, `start`, any number of `exec`, `remove`. Every method throws a `ContainerError`.
 *
 * The event loop owns what `start` and `exec` return: it pumps the streams, watches `report`, and when that is
 * readable asks `started` how it went; it reaps children and tells `onExit` of each.
 */
export class Containers {
  readonly #sys: Syscalls;
  readonly #run: string;
  readonly #cgroups: string;
  readonly #containers = new Map<string, Container>();
  #shared: Shared | undefined;

  constructor(
    sys: Syscalls,
    { run = "/run/dvm", cgroups = "/sys/fs/cgroup" }: ContainersOptions = {},
  ) {
    this.#sys = sys;
    this.#run = run;
    this.#cgroups = cgroups;
  }

  /** Does ahead of the first container what is the same for all: worth doing before a template is saved. */
  prepare(): void {
    this.#prepared();
  }

  /** Mounts the container's root and makes its control group; nothing runs yet. */
  create(id: string, spec: ContainerSpec): void {
    // The name becomes part of paths and of mount options.
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
      throw containerError(
        "CONTAINER_SPEC",
        `invalid container name: ${JSON.stringify(id.slice(0, 80))}`,
      );
    }
    if (this.#containers.has(id))
      throw containerError("CONTAINER_STATE", `container ${id} exists already`);
    this.#containers.set(id, Container.create(this.#prepared(), id, spec));
  }

  /** Starts the first process, named `init`. */
  start(id: string, spec: ProcessSpec): StartedProcess {
    return this.#get(id).start(spec, this.#prepared().filters);
  }

  /** Starts the further process `name` in a running container. */
  exec(id: string, name: string, spec: ProcessSpec): StartedProcess {
    return this.#get(id).exec(name, spec, this.#prepared().filters);
  }

  /** Starts work on the container's files, as the process `name`. */
  files(id: string, name: string, work: { readonly task: FileTask; readonly stdio: Stdio }) {
    return this.#get(id).files(name, work.task, work.stdio);
  }

  /**
   * To be called when the report of process `pid` is readable; closes it. Does not wait.
   *
   * @returns why the process could not come to be; `undefined` when it runs
   */
  started(pid: number): ContainerError | undefined {
    return this.#ofProcess(pid)?.started(pid);
  }

  /** To be called with every child that the event loop reaped. @returns `undefined` for none of a container's */
  onExit(pid: number, status: number): ExitedProcess | undefined {
    return this.#ofProcess(pid)?.onExit(pid, status);
  }

  signal(id: string, process: string, signal: number): void {
    this.#get(id).signal(process, signal);
  }

  resize(id: string, process: string, size: TerminalSize): void {
    this.#get(id).resize(process, size);
  }

  pause(id: string): void {
    this.#get(id).pause();
  }

  resume(id: string): void {
    this.#get(id).resume();
  }

  update(id: string, resources: Resources): void {
    this.#get(id).update(resources);
  }

  changeNetwork(id: string, change: Pick<RequestOf<"container.network">, "hosts" | "dns">): void {
    this.#get(id).changeNetwork(change);
  }

  stats(id: string): ContainerStats {
    return this.#get(id).stats();
  }

  processes(id: string): ProcessInfo[] {
    return this.#get(id).processes();
  }

  /** A descriptor to poll for POLLPRI, then to ask `newOomKill`; `undefined` without the memory controller. */
  oomEvents(id: string): Fd | undefined {
    return this.#get(id).oomEvents;
  }

  /** Whether the kernel killed something in the container for want of memory since this was last asked. */
  newOomKill(id: string): boolean {
    return this.#get(id).newOomKill();
  }

  /**
   * Kills what runs, unmounts, forgets. Waits until the kernel is done with the processes; the event loop reaps them
   * as ever and `onExit` answers `undefined`.
   */
  remove(id: string): void {
    const container = this.#get(id);
    container.remove();
    this.#containers.delete(id);
  }

  /** Names of the live processes by container, of those too that have none. */
  list(): Record<string, string[]> {
    return Object.fromEntries(
      [...this.#containers].map(([id, container]) => [id, container.processNames()]),
    );
  }

  #get(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined)
      throw containerError("CONTAINER_STATE", `no such container: ${id.slice(0, 128)}`);
    return container;
  }

  #ofProcess(pid: number): Container | undefined {
    for (const container of this.#containers.values()) if (container.owns(pid)) return container;
    return undefined;
  }

  #prepared(): Shared {
    if (this.#shared !== undefined) return this.#shared;
    for (const folder of ["", "/disks", "/containers"])
      ensureFolder(this.#sys, `${this.#run}${folder}`, 0o711);
    prepareCgroups(this.#sys, this.#cgroups, `${this.#cgroups}/dvm`);
    this.#shared = {
      sys: this.#sys,
      disks: new Disks(this.#sys, `${this.#run}/disks`),
      filters: new Filters(kernelVersion(this.#sys)),
      kernelPaths: kernelPaths(this.#sys),
      other: (id) => this.#get(id),
      folders: { run: `${this.#run}/containers`, cgroups: `${this.#cgroups}/dvm` },
    };
    return this.#shared;
  }
}

/** What is the same for all containers. */
interface Shared extends Machine {
  readonly filters: Filters;
}

function kernelVersion(sys: Syscalls): readonly [number, number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(sys.uname().release) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
