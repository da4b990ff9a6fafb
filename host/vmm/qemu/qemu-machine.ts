/** A running QEMU as the contract's `Machine`. */

import { open } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { agentSpoke } from "../agent-spoke.ts";
import { ConsoleLog } from "../console-log.ts";
import { VmmError } from "../errors.ts";
import type { DiskConfig, DiskLimits, Machine, MachineExit } from "../hypervisor.ts";
import type { Qmp } from "./handed-disks.ts";
import { setDiskLimits } from "./live-limits.ts";
import { machineExit } from "./machine-exit.ts";
import { plugDisks, unplugDisks } from "./plugged-disks.ts";
import { AGENT_ID } from "./qemu-arguments.ts";
import type { QemuLink } from "./qemu-process.ts";
import { QmpClient } from "./qmp-client.ts";
import { isObject, type QmpEvent } from "./qmp-message.ts";
import { emptyDisks, fillDisks, putDisksBack, withoutJoinedDisks } from "./replace-disks.ts";
import { savedFormat } from "./saved-format.ts";

/** From the end of QEMU's socket to that of its process at most, in `milliseconds`. */
const DYING = 2000;

/** Between two questions how a migration goes, in `milliseconds`. */
const MOMENT = 1;

/** Name of the file of a saved machine, as QMP has it. */
const SAVED = "saved";
/** As fast as it goes, in `bytes per second`; else it is 128 MiB. */
const NO_LIMIT = 2 ** 40;

/** A process that a machine cannot do without, besides QEMU. */
export interface MachineServer {
  /** settles when it is gone against all plans; never rejects */
  readonly failed: Promise<VmmError>;
  /** why it is gone, if it is: its end is seen a moment after that of its connection */
  failure(): Promise<VmmError | undefined>;
}

export interface QemuMachineOptions {
  readonly server?: MachineServer | undefined;
  /** `Machine.clonedMacs` */
  readonly clonedMacs?: readonly string[] | undefined;
}

export class QemuMachine implements Machine {
  readonly pid: number;
  readonly agent: Duplex;
  readonly exit: Promise<MachineExit>;
  readonly clonedMacs?: readonly string[];
  noteRunning?: () => void;
  readonly #process: QemuLink;
  readonly #files: AsyncDisposable;
  readonly #server: MachineServer | undefined;
  readonly #qmp: QmpClient;
  readonly #console = new ConsoleLog();
  readonly #portOpened = Promise.withResolvers<void>();
  readonly #portClosed = Promise.withResolvers<void>();
  #shutdownReason: string | undefined;
  #version = "";
  #killed = false;

  /** Takes over the process and the files. */
  constructor(
    process: QemuLink,
    files: AsyncDisposable,
    { server, clonedMacs }: QemuMachineOptions = {},
  ) {
    if (clonedMacs !== undefined) this.clonedMacs = clonedMacs;
    this.#process = process;
    this.#files = files;
    this.#server = server;
    // A guest whose folder is gone would wait for it without end.
    void server?.failed.then(() => process.kill());
    this.pid = process.pid;
    this.agent = process.agent;
    process.console.on("data", (chunk: Buffer) => this.#console.append(chunk));
    this.#qmp = new QmpClient(process.qmp, (event) => this.#onEvent(event));
    this.exit = this.#end();
  }

  /** Stage `configure`: QEMU has made the machine, and the guest runs. */
  async negotiate(): Promise<void> {
    try {
      this.#version = await this.#qmp.negotiate();
      // A port that was opened before QMP sent events.
      if (isAgentOpen(await this.#qmp.execute("query-chardev"))) this.#portOpened.resolve();
    } catch (error) {
      // A QEMU that dies closes its socket first; its last words say more than that.
      await Promise.race([this.exit, setTimeout(DYING, undefined, { ref: false })]);
      throw error;
    }
  }

  /** Stage `boot`. */
  agentPortOpened(): Promise<void> {
    return this.#portOpened.promise;
  }

  /** Stage `agent`: the first byte can be read. @throws {VmmError} VMM_AGENT_CLOSED */
  agentSpoke(): Promise<void> {
    return agentSpoke(this.agent, this.#portClosed.promise);
  }

  /** Stops the guest and writes its machine's state, without its memory, to whoever listens on the socket. */
  async saveState(socket: string): Promise<void> {
    await this.#qmp.execute("stop");
    await this.#leaveMemoryAside(true);
    await this.#qmp.execute("migrate", { uri: `unix:${socket}` });
    await this.#until("query-migrate", ["completed"], ["failed", "cancelled"]);
  }

  /** Stage `boot` of a clone: takes the state from an inherited descriptor, and runs the guest. */
  async restore(descriptor: number): Promise<void> {
    await this.#leaveMemoryAside(true);
    await this.#qmp.execute("migrate-incoming", { uri: `fd:${descriptor}` });
    await this.#until("query-status", ["paused"], ["internal-error", "io-error"]);
    await this.#qmp.execute("cont");
  }

  async saveTo(path: string, disks: readonly DiskConfig[]): Promise<string> {
    await using file = await open(path, "wx", 0o600);
    const memory = hasBackend(await this.#qmp.execute("query-memdev")) ? "backend" : "machine";
    await this.#leaveMemoryAside(false);
    await this.#qmp.execute("migrate-set-parameters", { "max-bandwidth": NO_LIMIT });
    await this.#qmp.executeWith(file.fd, "getfd", { fdname: SAVED });
    await withoutJoinedDisks(this.#commands, disks, async () => {
      await this.#qmp.execute("migrate", { uri: `fd:${SAVED}` });
      await this.#until("query-migrate", ["completed"], ["failed", "cancelled"]);
    });
    await file.sync();
    return savedFormat({ version: this.#version, memory });
  }

  /** Has it run on as it was, if the process that saved it was killed meanwhile. @param disks the machine's */
  async recover(disks: readonly DiskConfig[]): Promise<void> {
    const answer = await this.#qmp.execute("query-status");
    if (isObject(answer) && answer.running === true) return;
    await this.#qmp.execute("migrate_cancel");
    await putDisksBack(this.#commands, disks);
    await this.#qmp.execute("cont");
  }

  /** Stage `boot` of a machine that was saved. The guest runs. */
  async restoreSaved(path: string): Promise<void> {
    await using file = await open(path, "r");
    await this.#qmp.executeWith(file.fd, "getfd", { fdname: SAVED });
    await this.#qmp.execute("migrate-incoming", { uri: `fd:${SAVED}` });
    await this.#until("query-status", ["paused"], ["internal-error", "io-error"]);
    await this.#qmp.execute("cont");
  }

  /** Of QEMU. */
  get version(): string {
    return this.#version;
  }

  /** Puts disks behind the devices of a machine that was made without. Nothing in the guest uses them meanwhile. */
  async fillDisks(disks: readonly DiskConfig[]): Promise<void> {
    await fillDisks(this.#commands, disks);
  }

  async emptyDisks(disks: readonly DiskConfig[]): Promise<void> {
    await emptyDisks(this.#execute, disks);
  }

  async plugDisks(disks: readonly DiskConfig[]): Promise<void> {
    await plugDisks(this.#commands, disks);
  }

  async setDiskLimits(limits: DiskLimits | undefined): Promise<void> {
    await setDiskLimits(this.#execute, limits);
  }

  async unplugDisks(serials: readonly string[]): Promise<void> {
    await unplugDisks(this.#execute, serials);
  }

  get #commands(): Qmp {
    const executeWith: Qmp["executeWith"] = (descriptor, command, parameters) =>
      this.#qmp.executeWith(descriptor, command, parameters);
    return { execute: this.#execute, executeWith };
  }

  readonly #execute = (command: string, parameters: Readonly<Record<string, unknown>>) =>
    this.#qmp.execute(command, parameters);

  /** QEMU 7.2 has the capability under this name alone, and only over QMP. */
  async #leaveMemoryAside(state: boolean): Promise<void> {
    const capabilities = [{ capability: "x-ignore-shared", state }];
    await this.#qmp.execute("migrate-set-capabilities", { capabilities });
  }

  async #until(query: string, good: readonly string[], bad: readonly string[]): Promise<void> {
    for (;;) {
      const answer = await this.#qmp.execute(query);
      const status = isObject(answer) ? String(answer.status) : "";
      if (good.includes(status)) return;
      if (bad.includes(status)) throw new VmmError("VMM_QMP_FAILED", `${query} says ${status}`);
      await setTimeout(MOMENT);
    }
  }

  consoleTail(lines: number): string {
    return this.#console.tail(lines);
  }

  async pause(): Promise<void> {
    await this.#qmp.execute("stop");
  }

  async resume(): Promise<void> {
    await this.#qmp.execute("cont");
  }

  async kill(): Promise<void> {
    this.#killed = true;
    this.#process.kill();
    await this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.agent.destroy();
  }

  async #end(): Promise<MachineExit> {
    const process = await this.#process.ended;
    const isExpected = process?.code === 0 || this.#killed;
    const failure = isExpected ? undefined : await this.#server?.failure();
    await this.#files[Symbol.asyncDispose]();
    if (failure !== undefined) return { reason: "vmm-error", message: failure.message };
    return machineExit({ process, shutdownReason: this.#shutdownReason, console: this.#console });
  }

  #onEvent({ name, data }: QmpEvent): void {
    if (name === "SHUTDOWN" && typeof data.reason === "string") {
      this.#shutdownReason = data.reason;
    }
    if (name === "VSERPORT_CHANGE" && data.id === AGENT_ID) {
      if (data.open === true) this.#portOpened.resolve();
      else this.#onPortClosed();
    }
  }

  /**
   * QEMU keeps our connection when the guest closes the port. Taking the character device from under the port ends
   * the stream after all that the guest has sent. QEMU sends one such event a second at most, so it comes late.
   */
  #onPortClosed(): void {
    this.#portClosed.resolve();
    const backend = { type: "null", data: {} };
    this.#qmp.execute("chardev-change", { id: AGENT_ID, backend }).catch((error: unknown) => {
      // The machine may end meanwhile, and the stream with it.
      if (!(error instanceof VmmError)) throw error;
    });
  }
}

/** Reads the answer to `query-memdev` (qapi/machine.json, Memdev): whether the memory is a backend of our naming. */
function hasBackend(answer: unknown): boolean {
  return Array.isArray(answer) && answer.some((each) => isObject(each) && each.id === "memory");
}

/** Reads the answer to `query-chardev` (qapi/char.json, ChardevInfo). */
function isAgentOpen(answer: unknown): boolean {
  if (!Array.isArray(answer)) return false;
  return answer.some(
    (device) => isObject(device) && device.label === AGENT_ID && device["frontend-open"] === true,
  );
}
