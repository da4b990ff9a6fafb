/** A process of our VMM, as its parent sees it: a machine of the engine. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { ConsoleLog } from "../console-log.ts";
import { VmmError } from "../errors.ts";
import type { Machine, MachineExit } from "../hypervisor.ts";
import { machineExit } from "./exit-record.ts";
import { type OpenedMachine, RunFile } from "./open-machine.ts";
import { Told } from "./progress.ts";

/** No debugging port that a signal could open, and nothing on standard error that is no error. */
const NODE_FLAGS = ["--disable-sigusr1", "--no-warnings"];

export class VmmProcess implements Machine {
  readonly pid: number;
  readonly exit: Promise<MachineExit>;
  /** settles when the process exists, or could not be made */
  readonly spawned: Promise<void>;
  /** resolves when the machine is about to run its first instruction */
  readonly running: Promise<void>;
  /** resolves when the guest opens the agent's port */
  readonly guestOpened: Promise<void>;
  readonly #child: ChildProcess;
  readonly #runDirectory: string;
  #agent: Socket | undefined;

  /** @param main path of the VMM's main module */
  constructor(main: string, runDirectory: string, { descriptors, config }: OpenedMachine) {
    this.#runDirectory = runDirectory;
    const log = openSync(join(runDirectory, RunFile.vmmLog), "w");
    // Detached, and with nothing inherited but files: the machine outlives this process.
    const child = spawn(process.execPath, [...NODE_FLAGS, main], {
      stdio: ["pipe", "pipe", log, ...descriptors],
      detached: true,
      cwd: "/",
      env: {},
    });
    closeSync(log);
    child.stdin?.on("error", () => {}); // a child that ended before it read: its exit tells more
    child.stdin?.end(JSON.stringify(config));
    this.#child = child;
    this.pid = child.pid ?? -1;
    this.spawned = new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(new VmmError("VMM_SPAWN_FAILED", cause.message, { cause })),
      );
    });
    this.exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(this.#exitOf(code, signal)));
    });
    const heard = (what: string): Promise<void> =>
      new Promise((resolve) => {
        child.stdout?.on("data", (data: Buffer) => {
          if (data.includes(what)) resolve();
        });
      });
    this.running = heard(Told.running);
    this.guestOpened = heard(Told.guestOpen);
  }

  get agent(): Socket {
    if (this.#agent === undefined) throw new Error("the agent's port is not connected");
    return this.#agent;
  }

  /** Connects to the agent's port, by way of the folder's descriptor: a socket's path is short, a folder's is not. */
  async connect(): Promise<void> {
    using folder = FileDescriptor.open(this.#runDirectory, constants.O_DIRECTORY);
    const socket = connect(`/proc/self/fd/${folder.number}/${RunFile.agentSocket}`);
    this.#agent = socket;
    await once(socket, "connect");
  }

  /** Resolves when the guest agent has sent something, and leaves that to be read. */
  async agentSpoke(): Promise<void> {
    if (this.agent.readableLength === 0) await once(this.agent, "readable");
  }

  consoleTail(lines: number): string {
    return this.#console().tail(lines);
  }

  async pause(): Promise<void> {
    this.#child.kill("SIGSTOP");
  }

  async resume(): Promise<void> {
    this.#child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#agent?.destroy();
  }

  #exitOf(code: number | null, signal: string | null): MachineExit {
    const record = this.#read(RunFile.exitRecord);
    return machineExit({ record, signal, code, log: this.#read(RunFile.vmmLog) }, this.#console());
  }

  #console(): ConsoleLog {
    const console = new ConsoleLog();
    console.append(readFileSync(join(this.#runDirectory, RunFile.consoleLog)));
    return console;
  }

  #read(name: string): string {
    return readFileSync(join(this.#runDirectory, name), "utf8");
  }
}
