/** QEMU as a child process that cannot outlive us, with its three channels. */

import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { VmmError } from "../errors.ts";
import { type JailEntry, jailed } from "../jail/jail.ts";
import { AGENT_FD, CONSOLE_FD, QMP_FD } from "./qemu-arguments.ts";
import { PRIVATE_MEMORY } from "./template-arguments.ts";

/** How the process ended. */
export interface ProcessEnd {
  /** exit code; null when a signal ended it */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** end of what it wrote on its standard error */
  readonly stderr: string;
}

/** A QEMU and its three channels. */
export interface QemuLink {
  readonly pid: number;
  readonly qmp: Socket;
  readonly console: Socket;
  readonly agent: Socket;
  /** settles when the process has ended and its channels are read to their ends; undefined: it is not known how */
  readonly ended: Promise<ProcessEnd | undefined>;
  /** ends the process at once; safe to call at any time, also after its end */
  kill(): void;
}

/** Kept of QEMU's standard error, in `characters`. */
const MAX_STDERR = 4096;

export interface SpawnOptions {
  /** the files that it finds */
  readonly entries: readonly JailEntry[];
  /** descriptors that it has after its channels; borrowed until it is spawned */
  readonly inherited?: readonly number[];
  /** whether its guest's memory is a private mapping of a template's */
  readonly isClone?: boolean;
  /** names of tap devices that it finds, in a network namespace that is its own; asks for privileges */
  readonly taps?: readonly string[];
}

export class QemuProcess implements QemuLink {
  readonly pid: number;
  readonly qmp: Socket;
  readonly console: Socket;
  readonly agent: Socket;
  /** settles when the process has ended and its console and standard error are read to their ends */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    this.qmp = channel(child, QMP_FD);
    this.console = channel(child, CONSOLE_FD);
    this.agent = channel(child, AGENT_FD);
    this.ended = endOf(child, this.console);
  }

  /**
   * Starts QEMU. It has a session of its own, so that Ctrl-C in our terminal is for us alone; it is killed when the
   * thread that called this is no more, whatever the reason; it is in a jail with its own files.
   *
   * @throws {VmmError} VMM_SPAWN_FAILED
   */
  static async spawn(
    binary: string,
    args: readonly string[],
    { entries, inherited = [], isClone = false, taps = [] }: SpawnOptions,
  ): Promise<QemuProcess> {
    const command = jailed({
      command: [binary, ...args],
      entries,
      outlivesUs: false,
      ...(isClone && { preload: PRIVATE_MEMORY }),
    });
    const [program, ...rest] = amongTaps(taps, command);
    const child = spawn(program, rest, {
      cwd: "/",
      detached: true,
      // QEMU needs none of our variables, and /proc shows them.
      env: { PATH: process.env.PATH },
      // Node's pipes are connected pairs of stream sockets: both ends of a channel without a path, with nothing to
      // wait for and nothing that another process could connect to.
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", ...inherited],
    });
    const pid = await spawned(child);
    return new QemuProcess(child, pid);
  }

  /** Ends the process at once; safe to call at any time, also after its end. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** A command in a network namespace with these tap devices and nothing else. */
function amongTaps(
  taps: readonly string[],
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  if (taps.length === 0) return command;
  const lines = taps.map((tap) => `ip tuntap add dev ${tap} mode tap`);
  const script = [...lines, 'exec "$@"'].join(" && ");
  return ["unshare", "--net", "--", "/bin/sh", "-c", script, "sh", ...command];
}

export function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new VmmError("VMM_SPAWN_FAILED", `cannot start QEMU: ${cause.message}`, {
          cause,
        }),
      ),
    );
    child.once("spawn", () => {
      if (child.pid !== undefined) resolve(child.pid);
    });
  });
}

function channel(child: ChildProcess, fd: number): Socket {
  const stream = child.stdio[fd];
  if (!(stream instanceof Socket)) throw new TypeError(`descriptor ${fd} of a child is no socket`);
  // A reset is an end to us: what ended the process is told by its exit.
  stream.on("error", () => {});
  return stream;
}

export async function endOf(child: ChildProcess, console: Socket): Promise<ProcessEnd> {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR);
  });
  const exited = new Promise<Pick<ProcessEnd, "code" | "signal">>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const closed = [child.stderr, console].map(
    (stream) => new Promise<void>((resolve) => stream?.once("close", () => resolve())),
  );
  const [end] = await Promise.all([exited, ...closed]);
  return { ...end, stderr: stderr.trim() };
}
