/** What scenarios play with: containers, and an event loop that waits for one process at a time. */

import { POLLIN, POLLPRI } from "../../linux/poll.ts";
import { WNOHANG } from "../../linux/wait.ts";
import type { ContainerSpec, ProcessSpec } from "../../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../../syscalls/syscalls.ts";
import { Containers } from "../containers.ts";
import type { ContainerError } from "../errors.ts";
import type { StartedProcess } from "../start-process.ts";
import { decodeText } from "../text.ts";

/** What became of a process. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** exit code; absent when it never came to be */
  readonly code?: number;
  readonly oomKilled?: boolean;
  readonly failure?: string;
  readonly failureExit?: number;
}

/** What is played in the guest, by name; each returns what the test then judges. */
export type Scenarios = Readonly<Record<string, (bench: Bench) => unknown>>;

export type Changes<T> = { readonly [K in keyof T]?: T[K] };

export class Bench {
  readonly sys: Syscalls;
  readonly containers: Containers;
  readonly #exited = new Map<number, ReturnType<Containers["onExit"]>>();
  #number = 0;

  constructor(sys: Syscalls) {
    this.sys = sys;
    this.containers = new Containers(sys);
  }

  /** A new container; returns its name. */
  create(changes: Changes<ContainerSpec> = {}): string {
    const id = `c${this.#number++}`;
    this.containers.create(id, { ...CONTAINER, ...changes });
    return id;
  }

  /** Runs one command in a container of its own. */
  run(
    script: string | readonly string[],
    process: Changes<ProcessSpec> = {},
    changes: Changes<ContainerSpec> = {},
  ): Outcome {
    const id = this.create(changes);
    const outcome = this.finish(this.start(id, script, process));
    this.containers.remove(id);
    return outcome;
  }

  start(
    id: string,
    script: string | readonly string[],
    changes: Changes<ProcessSpec> = {},
  ): StartedProcess {
    return this.containers.start(id, processSpec(script, changes));
  }

  exec(
    id: string,
    name: string,
    script: string | readonly string[],
    changes: Changes<ProcessSpec> = {},
  ): StartedProcess {
    return this.containers.exec(id, name, processSpec(script, changes));
  }

  /** Waits until the process came to be. */
  settle({ pid, report }: StartedProcess): ContainerError | undefined {
    this.sys.poll([{ fd: report, events: POLLIN }]);
    return this.containers.started(pid);
  }

  /** Waits for the process's start, output and end. */
  finish(started: StartedProcess): Outcome {
    const failure = this.settle(started);
    const stdout = this.#drain(started.terminal ?? started.stdout);
    const stderr = this.#drain(started.stderr);
    const exit = this.exit(started.pid);
    for (const fd of [started.stdin, started.stdout, started.stderr, started.terminal]) {
      if (fd !== undefined) this.sys.close(fd);
    }
    if (failure !== undefined) {
      return { stdout, stderr, failure: failure.message, failureExit: failure.exitCode };
    }
    return {
      stdout,
      stderr,
      ...(exit === undefined ? {} : { code: exit.code, oomKilled: exit.oomKilled }),
    };
  }

  /** Reaps until the process `pid` is among the reaped. */
  exit(pid: number): ReturnType<Containers["onExit"]> {
    while (!this.#exited.has(pid)) this.reap();
    const exit = this.#exited.get(pid);
    this.#exited.delete(pid);
    return exit;
  }

  /** Waits for one child. */
  reap(): void {
    const ended = this.sys.wait4(-1, 0);
    if (ended !== undefined)
      this.#exited.set(ended.pid, this.containers.onExit(ended.pid, ended.status));
  }

  /** Reads until `text` has come. */
  readUntil(fd: Fd | undefined, text: string): string {
    let all = "";
    while (fd !== undefined && !all.includes(text)) {
      const piece = this.#piece(fd, 10_000);
      if (piece === undefined || piece === "") break;
      all += piece;
    }
    return all;
  }

  /** Waits for an out-of-memory kill, at most `timeout` milliseconds. */
  awaitOom(id: string, timeout: number): boolean {
    const fd = this.containers.oomEvents(id);
    if (fd === undefined) return false;
    // The file also changes with what comes before a kill: the limit that is hit.
    for (let looks = 20; looks > 0; looks--) {
      this.sys.poll([{ fd, events: POLLPRI }], timeout);
      if (this.containers.newOomKill(id)) return true;
    }
    return false;
  }

  /** Removes what a scenario left. */
  clear(): void {
    for (const id of Object.keys(this.containers.list())) this.containers.remove(id);
    try {
      while (this.sys.wait4(-1, WNOHANG) !== undefined);
    } catch (error) {
      if (!isSyscallError(error, "ECHILD")) throw error;
    }
  }

  #drain(fd: Fd | undefined): string {
    let all = "";
    for (
      let piece = fd === undefined ? undefined : this.#piece(fd);
      piece !== undefined && piece !== "";
    ) {
      all += piece;
      piece = fd === undefined ? undefined : this.#piece(fd);
    }
    return all;
  }

  /** Next bytes as text; nothing at the end or when none come within `timeout` milliseconds. */
  #piece(fd: Fd, timeout?: number): string | undefined {
    this.sys.poll([{ fd, events: POLLIN }], timeout);
    const buffer = new Uint8Array(4096);
    try {
      return decodeText(buffer.subarray(0, this.sys.read(fd, buffer)));
    } catch (error) {
      // EIO: the last process on a terminal is gone.
      if (isSyscallError(error, "EIO", "EAGAIN")) return undefined;
      throw error;
    }
  }
}

export const MiB = 1024 * 1024;

/** An image whose symbolic links lead everywhere. */
export const HOSTILE = {
  imageSerial: "hostile",
  upper: { kind: "tmpfs", size: 0 },
  readOnly: false,
} as const;

/** A root that takes its writes on a disk. */
export const DISK = {
  imageSerial: "plain",
  upper: { kind: "disk", serial: "upper" },
  readOnly: false,
} as const;

export const TTY = { terminal: { rows: 24, columns: 80 }, stdio: { stdin: 0, stdout: 1 } };

/** What `step` throws, in words. */
export function thrown(step: () => unknown): string {
  try {
    return `no error: ${JSON.stringify(step())}`;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

export const CONTAINER: ContainerSpec = {
  hostname: "testhost",
  domainname: "",
  rootfs: { imageSerial: "plain", upper: { kind: "tmpfs", size: 0 }, readOnly: false },
  mounts: [],
  shmSize: 64 * 1024 * 1024,
  extraHosts: [],
  dns: { servers: ["10.0.2.3"], search: [], options: [] },
  sysctls: {},
  resources: {},
  namespaces: {
    network: "private",
    pid: "private",
    ipc: "private",
    uts: "private",
    cgroup: "private",
    user: "guest",
  },
  privileged: false,
  init: false,
};

function processSpec(
  script: string | readonly string[],
  changes: Changes<ProcessSpec>,
): ProcessSpec {
  return {
    args: typeof script === "string" ? ["/bin/sh", "-c", script] : script,
    env: [],
    cwd: "/",
    user: "",
    additionalGroups: [],
    capAdd: [],
    capDrop: [],
    privileged: false,
    noNewPrivileges: false,
    seccomp: "default",
    rlimits: [],
    stdio: { stdout: 1, stderr: 2 },
    ...changes,
  };
}
