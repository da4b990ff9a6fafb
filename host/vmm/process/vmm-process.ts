/** A process of our VMM as the engine's `Machine`. */

import { once } from "node:events";
import { constants, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { descriptorOf } from "../../sys/descriptor-of.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { sendDescriptors } from "../../sys/send-descriptors.ts";
import { connectAgentPort } from "../agent-connection.ts";
import { ConsoleLog } from "../console-log.ts";
import { VmmError } from "../errors.ts";
import type { DiskConfig, DiskLimits, Machine, MachineExit } from "../hypervisor.ts";
import type { ControlRequest } from "../kvm/control-socket.ts";
import { receiveMachine } from "../template/receive-machine.ts";
import type { SavedFiles } from "../template/saved-files.ts";
import { savedFormat, stateBeside } from "../template/vmm-saved-format.ts";
import { machineExit } from "./exit-record.ts";
import { openDisks, RunFile } from "./open-machine.ts";
import type { VmmLink, VmmProcessEnd } from "./vmm-link.ts";

const MEBIBYTE = 1024 * 1024;

export class VmmProcess implements Machine {
  readonly pid: number;
  readonly exit: Promise<MachineExit>;
  readonly link: VmmLink;
  readonly #runDirectory: string;
  #agent: Socket | undefined;
  /** holds a machine still that was saved */
  #saving: Socket | undefined;

  readonly clonedMacs?: readonly string[];
  noteRunning?: () => void;

  /** Takes over the process. @param clonedMacs of a clone */
  constructor(link: VmmLink, runDirectory: string, clonedMacs?: readonly string[]) {
    this.link = link;
    if (clonedMacs !== undefined) this.clonedMacs = clonedMacs;
    this.#runDirectory = runDirectory;
    this.pid = link.pid;
    this.exit = link.ended.then((end) => this.#exitOf(end));
  }

  get agent(): Socket {
    if (this.#agent === undefined) throw new Error("the agent's port is not connected");
    return this.#agent;
  }

  /** Connects to the agent's port; an older connection, of whoever it was, ends by that. */
  async connect(): Promise<void> {
    this.#agent = await this.#connectTo(RunFile.agentSocket);
  }

  consoleTail(lines: number): string {
    return this.#console().tail(lines);
  }

  /** What the VMM counts, see `MachineStatistics`. */
  async statistics(): Promise<unknown> {
    return answerOf(await this.#request({}));
  }

  async plugDisks(disks: readonly DiskConfig[]): Promise<void> {
    using opened = openDisks(disks);
    const socket = await this.#request({ plug: opened.disks }, opened.descriptors);
    const { refusal } = (await answerOf(socket)) as { readonly refusal?: string }; // by `createMachine`
    if (refusal === undefined) return;
    throw new VmmError("VMM_UNSUPPORTED", `the machine takes no further disks: ${refusal}`, {
      hint: "it has places for those of four containers; with many networks and volumes that are disks, of fewer",
    });
  }

  async unplugDisks(serials: readonly string[]): Promise<void> {
    await answerOf(await this.#request({ unplug: serials }));
  }

  /** Does not wait for the answer, which a machine that is paused gives when it goes on. */
  async setDiskLimits(limits: DiskLimits | undefined): Promise<void> {
    const socket = await this.#request({ limits: limits ?? null });
    socket.resume();
  }

  async saveTo(path: string): Promise<string> {
    await this.save({ memory: path, state: stateBeside(path) });
    return savedFormat();
  }

  /** Writes the machine to new files, and holds it still from then on. */
  async save(files: SavedFiles): Promise<void> {
    this.#saving?.destroy();
    this.#saving = await this.#connectTo(RunFile.saveSocket);
    this.link.signal("SIGCONT"); // it is paused in its own way until it is resumed
    const memoryLength = this.link.memoryMiB * MEBIBYTE;
    const log = (): string => this.#read(RunFile.vmmLog);
    await receiveMachine(this.#saving, files, { memoryLength, log });
  }

  /**
   * Stops all threads of the VMM where they are, those that run the guest too. The guest's kernel has no detector of
   * lockups that the lost time could alarm, so it need not be told (KVM_KVMCLOCK_CTRL).
   */
  async pause(): Promise<void> {
    this.link.signal("SIGSTOP");
  }

  async resume(): Promise<void> {
    this.#saving?.destroy();
    this.link.signal("SIGCONT");
  }

  async kill(): Promise<void> {
    this.link.signal("SIGKILL");
    await this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#saving?.destroy();
    this.#agent?.destroy();
  }

  /** By way of the folder's descriptor: a socket's path is short, a folder's is not. */
  async #connectTo(name: string): Promise<Socket> {
    using folder = FileDescriptor.open(this.#runDirectory, constants.O_DIRECTORY);
    const path = `/proc/self/fd/${folder.number}/${name}`;
    const socket = name === RunFile.agentSocket ? connectAgentPort(path) : connect(path);
    await once(socket, "connect");
    // A reset is an end to us: what ended the process is told by its exit.
    socket.on("error", () => {});
    return socket;
  }

  /** @param descriptors that go with it */
  async #request(request: ControlRequest, descriptors: readonly number[] = []): Promise<Socket> {
    const socket = await this.#connectTo(RunFile.controlSocket);
    const text = JSON.stringify(request);
    if (descriptors.length === 0) socket.write(text);
    else sendDescriptors(descriptorOf(socket), Buffer.from(text), descriptors);
    return socket;
  }

  #exitOf(end: VmmProcessEnd): MachineExit {
    const record = this.#read(RunFile.exitRecord);
    return machineExit({ record, ...end, log: this.#read(RunFile.vmmLog) }, this.#console());
  }

  #console(): ConsoleLog {
    const console = new ConsoleLog();
    console.append(Buffer.from(this.#read(RunFile.consoleLog), "latin1"));
    return console;
  }

  /** A run directory that has been removed has nothing to say. */
  #read(name: string): string {
    try {
      return readFileSync(join(this.#runDirectory, name), "latin1");
    } catch {
      return "";
    }
  }
}

async function answerOf(socket: Socket): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
