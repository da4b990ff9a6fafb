/** One container: what it holds from creation to removal, and what may happen to it when. */

import { CLONE_NEWPID } from "../linux/sched.ts";
import { exitCodeOf } from "../linux/wait.ts";
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
import { readCounters } from "./cgroup.ts";
import { assemble, type Donor, type Machine, type Parts, Undo } from "./container-parts.ts";
import { JOINABLE } from "./container-plan.ts";
import { containerProcesses } from "./container-processes.ts";
import { containerStats } from "./container-stats.ts";
import { type ContainerError, containerError } from "./errors.ts";
import { changeHosts, resolvConf } from "./etc-files.ts";
import { readText, writeNewText } from "./file-access.ts";
import type { FilePlaces } from "./files/file-task.ts";
import { planProcess } from "./process-plan.ts";
import { asContainerError, readReport } from "./report.ts";
import { cgroupSettings } from "./resources.ts";
import type { Filters } from "./seccomp/filters.ts";
import {
  type JoinedNamespace,
  type StartedProcess,
  startFileTask,
  startFirst,
  startFurther,
} from "./start-process.ts";

/** A container's process that ended. */
export interface ExitedProcess {
  readonly container: string;
  /** `init` for the container's first */
  readonly process: string;
  /** exit code, or 128 plus the number of the signal that ended it */
  readonly code: number;
  /** whether the kernel killed something in the container for want of memory */
  readonly oomKilled: boolean;
  /** why the process never came to be; there is no exit to tell of then */
  readonly failure: ContainerError | undefined;
}

/** name of a container's first process */
const FIRST = "init";

/** longest wait for killed processes to be gone, in `milliseconds` */
const KILL_TIMEOUT = 10_000;

interface Process {
  readonly name: string;
  readonly pid: number;
  /** terminal's master, which the event loop owns */
  readonly terminal: Fd | undefined;
  /** open until it is known whether the process came to be */
  report: Fd | undefined;
}

export class Container implements Donor {
  readonly #sys: Syscalls;
  readonly #other: Machine["other"];
  readonly #id: string;
  readonly #parts: Parts;
  readonly #undo: Undo;
  readonly #processes = new Map<number, Process>();
  readonly #oomEvents: Fd | undefined;
  #oomKillsSeen = 0;
  #oomKillsAtStart = 0;
  #started = false;
  #paused = false;

  /** On failure nothing is left behind. */
  static create(machine: Machine, id: string, spec: ContainerSpec): Container {
    const undo = new Undo();
    try {
      return new Container(machine, id, { ...assemble({ ...machine, undo }, id, spec), undo });
    } catch (error) {
      undo.all();
      throw asContainerError(error, `create container ${id}`);
    }
  }

  private constructor(
    { sys, other }: Machine,
    id: string,
    { undo, ...parts }: Parts & { readonly undo: Undo },
  ) {
    this.#sys = sys;
    this.#other = other;
    this.#id = id;
    this.#parts = parts;
    this.#undo = undo;
    const events = parts.cgroup.openEvents("memory.events");
    this.#oomEvents = events;
    if (events === undefined) return;
    undo.push(() => sys.close(events));
    // A file of the kernel's that was never read counts as changed: reading it arms POLLPRI.
    readCounters(sys, events);
  }

  start(spec: ProcessSpec, filters: Filters): StartedProcess {
    if (this.#first() !== undefined) this.#refuse("is running already");
    const { plan, cgroup } = this.#parts;
    if (this.#started) this.#oomKillsAtStart = cgroup.oomKills;
    this.#started = true;
    return this.#launch(FIRST, () =>
      startFirst(this.#sys, this.#parts, {
        process: planProcess(spec, plan.spec.hostname, filters),
        joined: this.#joined(),
      }),
    );
  }

  exec(name: string, spec: ProcessSpec, filters: Filters): StartedProcess {
    const first = this.#first() ?? this.#refuse("is not running");
    if (first.report !== undefined) this.#refuse("is not running yet");
    if (this.#paused) this.#refuse("is paused, unpause the container before exec");
    if (this.processNames().includes(name)) this.#refuse(`has a process ${name} already`);
    const process = planProcess(spec, this.#parts.plan.spec.hostname, filters);
    return this.#launch(name, () =>
      startFurther(this.#sys, this.#parts, { process, first: first.pid }),
    );
  }

  /** Starts work on the files, which needs no running process. */
  files(name: string, task: FileTask, stdio: Stdio): StartedProcess {
    if (this.processNames().includes(name)) this.#refuse(`has a process ${name} already`);
    const places = this.#filePlaces(task);
    return this.#launch(name, () => startFileTask(this.#sys, places, { task, stdio }));
  }

  get firstPid(): number {
    const first = this.#first();
    if (first?.report !== undefined) this.#refuse("is not running yet");
    return first?.pid ?? this.#refuse("is not running");
  }

  get places(): Donor["places"] {
    return this.#parts.places;
  }

  owns(pid: number): boolean {
    return this.#processes.has(pid);
  }

  started(pid: number): ContainerError | undefined {
    const process = this.#processes.get(pid);
    if (process?.report === undefined) return undefined;
    const failure = readReport(this.#sys, process.report);
    this.#sys.close(process.report);
    process.report = undefined;
    if (failure !== undefined) this.#processes.delete(pid);
    return failure;
  }

  onExit(pid: number, status: number): ExitedProcess | undefined {
    const process = this.#processes.get(pid);
    if (process === undefined) return undefined;
    // An ended child's report has ended too: reading it does not wait.
    const failure = this.started(pid);
    this.#processes.delete(pid);
    const { plan, cgroup } = this.#parts;
    // With processes numbered in the guest's own namespace the kernel does not end the rest with the first.
    if (process.name === FIRST && (plan.cloned & CLONE_NEWPID) === 0) cgroup.kill();
    const oomKilled = cgroup.oomKills > this.#oomKillsAtStart;
    return {
      container: this.#id,
      process: process.name,
      code: exitCodeOf(status),
      oomKilled,
      failure,
    };
  }

  signal(name: string, signal: number): void {
    const { pid } = this.#find(name);
    this.#about("signal", () => this.#sys.kill(pid, signal));
  }

  resize(name: string, size: TerminalSize): void {
    const { terminal } = this.#find(name);
    if (terminal === undefined)
      throw containerError("CONTAINER_STATE", `process ${name} has no terminal`);
    this.#about("resize", () => this.#sys.setWindowSize(terminal, size));
  }

  pause(): void {
    if (this.#first() === undefined) this.#refuse("is not running");
    if (this.#paused) this.#refuse("is already paused");
    this.#about("pause", () => this.#parts.cgroup.freeze());
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) this.#refuse("is not paused");
    this.#about("resume", () => this.#parts.cgroup.thaw());
    this.#paused = false;
  }

  update(resources: Resources): void {
    this.#about("update", () => this.#parts.cgroup.apply(cgroupSettings(resources)));
  }

  /** Its files follow a change of its networks, and keep what was written into them since. */
  changeNetwork({ hosts, dns }: Pick<RequestOf<"container.network">, "hosts" | "dns">): void {
    const { "/etc/hosts": hostsFile, "/etc/resolv.conf": resolverFile } = this.#parts.places.files;
    this.#about("change networks", () => {
      if (hostsFile !== undefined)
        writeNewText(this.#sys, hostsFile, changeHosts(readText(this.#sys, hostsFile), hosts));
      if (resolverFile !== undefined) writeNewText(this.#sys, resolverFile, resolvConf(dns));
    });
  }

  stats(): ContainerStats {
    return this.#about("stats", () =>
      containerStats(this.#sys, this.#parts.cgroup, this.#first()?.pid),
    );
  }

  processes(): ProcessInfo[] {
    if (this.#first() === undefined) this.#refuse("is not running");
    return this.#about("list processes", () => containerProcesses(this.#sys, this.#parts.cgroup));
  }

  processNames(): string[] {
    return [...this.#processes.values()].map(({ name }) => name);
  }

  get oomEvents(): Fd | undefined {
    return this.#oomEvents;
  }

  newOomKill(): boolean {
    if (this.#oomEvents === undefined) return false;
    const kills = readCounters(this.#sys, this.#oomEvents).get("oom_kill") ?? 0;
    const isNew = kills > this.#oomKillsSeen;
    this.#oomKillsSeen = kills;
    return isNew;
  }

  remove(): void {
    this.#about("remove", () => {
      if (!this.#parts.cgroup.killAndWait(KILL_TIMEOUT))
        this.#refuse("has processes that do not die");
      for (const { report } of this.#processes.values())
        if (report !== undefined) this.#sys.close(report);
      this.#processes.clear();
      this.#undo.all();
    });
  }

  /** What is mounted in the root is seen in the root of the container's own processes, or mounted for the task. */
  #filePlaces({ kind }: FileTask): FilePlaces {
    const { plan } = this.#parts;
    const isAboutLayers = kind === "layer" || kind === "changes";
    const { image, ...places } = this.#parts.files;
    const files = { ...places, image: isAboutLayers ? image() : "" };
    const first = this.#first();
    const isAboutPath = kind === "stat" || kind === "read" || kind === "write";
    if (!isAboutPath || files.userNamespace !== undefined) return files;
    if (first === undefined) {
      return { ...files, mounts: plan.mounts.filter(({ type }) => type === undefined) };
    }
    return first.report === undefined ? { ...files, root: `/proc/${first.pid}/root` } : files;
  }

  #launch(name: string, start: () => StartedProcess): StartedProcess {
    return this.#about(`start ${name}`, () => {
      const started = start();
      const { pid, report, terminal } = started;
      this.#processes.set(pid, { name, pid, report, terminal });
      return started;
    });
  }

  #joined(): JoinedNamespace[] {
    const { joins = {} } = this.#parts.plan.spec;
    return Object.entries(JOINABLE).flatMap(([kind, flag]) => {
      const id = joins[kind as keyof typeof JOINABLE];
      return id === undefined ? [] : [{ flag, pid: this.#other(id).firstPid }];
    });
  }

  #first(): Process | undefined {
    return [...this.#processes.values()].find(({ name }) => name === FIRST);
  }

  #find(name: string): Process {
    const found = [...this.#processes.values()].find((process) => process.name === name);
    return found ?? this.#refuse(`has no running process ${name.slice(0, 128)}`);
  }

  #about<T>(stage: string, step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw asContainerError(error, `${stage}: container ${this.#id}`);
    }
  }

  #refuse(why: string): never {
    throw containerError("CONTAINER_STATE", `container ${this.#id} ${why}`);
  }
}
