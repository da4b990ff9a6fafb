/** Ends the spare machines of a daemon that was killed: a process that waits for its end of a pipe to close. */

import { type ChildProcess, spawn } from "node:child_process";

/** The last line is the whole list of processes and taps. A shell waits at the price of half a megabyte. */
const SCRIPT = `
while read -r line; do list=$line; done
for one in $list; do case $one in
  [0-9]*) kill -KILL "$one" ;;
  *) ip link del "$one" ;;
esac; done
`;

export class SpareGuardian implements Disposable {
  #process: ChildProcess | undefined;
  readonly #spares = new Map<number, readonly string[]>();

  /** @param taps names of devices that go with it */
  add(pid: number, taps: readonly string[] = []): void {
    this.#spares.set(pid, taps);
    this.#tell();
  }

  /** A machine that is a container's, or is gone. */
  remove(pid: number): void {
    if (this.#spares.delete(pid)) this.#tell();
  }

  /** Kills what is left. */
  [Symbol.dispose](): void {
    this.#process?.stdin?.end();
    this.#process = undefined;
  }

  #tell(): void {
    this.#process ??= startGuardian();
    this.#process.stdin?.write(`${[...this.#spares].flat(2).join(" ")}\n`);
  }
}

function startGuardian(): ChildProcess {
  const child = spawn("/bin/sh", ["-c", SCRIPT], {
    cwd: "/",
    // what ends the daemon's group must not end it first
    detached: true,
    env: { PATH: process.env.PATH },
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  child.unref();
  return child;
}
