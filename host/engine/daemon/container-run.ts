/** A machine with a container in it, from its boot, or its adoption, to its end. */

import { isDeepStrictEqual } from "node:util";
import { type AgentClient, type ContainerAlias, connectAgent } from "../../agent/agent-client.ts";
import { DvmError } from "../../errors.ts";
import type { PortFollower } from "../../network/prepared-network.ts";
import type { DiskConfig, Machine } from "../../vmm/hypervisor.ts";
import { beyondMachine, runningShape, withinMachine } from "../beyond-machine.ts";
import { type BootOptions, openMachine } from "../boot-machine.ts";
import type { ContainerExit } from "../container-exit.ts";
import { containerHostname, containerSpec, guestResources } from "../container-spec.ts";
import { withDeadline } from "../deadline.ts";
import { diskLimits } from "../disk-limits.ts";
import { inPhase } from "../engine-event.ts";
import type { PreparedImage } from "../engine-parts.ts";
import { engineError } from "../errors.ts";
import { HostCgroup } from "../host-cgroup.ts";
import { machineShape } from "../machine-shape.ts";
import {
  type JoinOptions,
  joinNetwork,
  type LiveContainer,
  leaveNetwork,
} from "../networks/live-networks.ts";
import { adoptNetwork, NO_NETWORK, prepareNetwork } from "../networks/prepare-network.ts";
import { PortWatch } from "../networks/watch-ports.ts";
import type { MachinePool } from "../pool/machine-pool.ts";
import { restoreMachine } from "../snapshots/restore-machine.ts";
import { restoredState } from "../snapshots/restored-state.ts";
import type { SavedRun } from "../snapshots/snapshot-meta.ts";
import { prepareVolumes, releaseSwap } from "../volumes/container-volumes.ts";
import { NO_MOUNTS } from "../volumes/prepared-mounts.ts";
import { explainEnd } from "./explain-end.ts";
import type { GuestProcess } from "./guest-process.ts";
import { GuestRun, type RunOptions } from "./guest-run.ts";
import type { DaemonContainerConfig } from "./model.ts";
import { newRunState, type RunState } from "./run-state.ts";

import { Serial } from "./serial.ts";
import type { SharedMachine } from "./shared-machine.ts";

const SIGKILL = 9;

export interface MachineRunOptions extends RunOptions {
  readonly extents: PreparedImage["extents"];
  readonly writableDisk: string | undefined;
  readonly signal: AbortSignal;
}

export interface StartRunOptions extends MachineRunOptions {
  readonly pool: MachinePool;
  /** its streams are open and it has not started: who is to miss nothing joins now */
  readonly onOpened: (process: GuestProcess) => void;
}

export interface RestoreRunOptions extends MachineRunOptions {
  readonly saved: SavedRun;
  /** file of the saved machine */
  readonly memory: string;
}

export interface AdoptOptions extends RunOptions {
  /** of its machine, the image's and its own */
  readonly disks: readonly DiskConfig[];
  /** called before the guest is spoken to, for those who have joined its container (`TakeOver.prepare`) */
  readonly onTakeOver: (client: AgentClient) => void;
}

export class ContainerRun extends GuestRun {
  readonly #undo = new AsyncDisposableStack();
  /** goes after the machine, which is in it */
  readonly #cgroup = this.#undo.use(new HostCgroup(this.options.record.id));
  #machine: Machine | undefined;
  #agent: AgentClient | undefined;
  /** settles when the agent is ready */
  #ready: Promise<void> | undefined;
  #network = NO_NETWORK;
  #portWatch: PortWatch | undefined;
  #mounts = NO_MOUNTS;
  #killed = false;
  /** what those who join share */
  readonly #pod = { turns: new Serial(), joined: new Set<string>() };
  /** why nobody can speak to the guest, whose machine runs all the same */
  #mute: DvmError | undefined;
  #bootedAt = 0;
  #diskLimits = diskLimits(this.options.record.config.resources);

  /** Boots a machine and starts the container's process in it; whatever fails is taken down again. */
  static async start(options: StartRunOptions): Promise<ContainerRun> {
    const run = new ContainerRun(options, newRunState(options.record.id));
    return run.#begun(async () => {
      await run.#boot(options);
      await run.#startProcess(options);
    });
  }

  /** Goes on where a container was saved, as another one. */
  static async restore(options: RestoreRunOptions): Promise<ContainerRun> {
    const run = new ContainerRun(options, restoredState(options.record.id, options.saved));
    return run.#begun(() => run.#goOn(options));
  }

  /**
   * Takes over the machine of an earlier daemon.
   *
   * @returns nothing when its process had not been started
   * @throws DvmError when the machine is gone, or does not answer: it is killed then
   */
  static async adopt(options: AdoptOptions, state: RunState): Promise<ContainerRun | undefined> {
    const run = new ContainerRun(options, { ...state, generation: state.generation + 1 });
    try {
      if (await run.#takeOver(options)) return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
    await run[Symbol.asyncDispose]();
    return undefined;
  }

  async #begun(begin: () => Promise<void>): Promise<this> {
    try {
      await begin();
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  get machine(): SharedMachine {
    const { agent } = this;
    if (this.#machine === undefined) throw new TypeError("an agent without a machine");
    return {
      owner: this.id,
      machine: this.#machine,
      agent,
      vcpus: this.vcpus,
      bootedAt: this.#bootedAt,
      ...this.#pod,
      shares: this.state.shares ?? [],
      runDirectory: this.options.runDirectory.path,
    };
  }

  /** process id of the machine on the host */
  get pid(): number {
    return this.#machine?.pid ?? 0;
  }

  /** when the guest's kernel started, in `milliseconds` since the epoch */
  get bootedAt(): number {
    return this.#bootedAt;
  }

  /** Whether its agent is of a version that nobody here speaks: it can only be killed. */
  get isMute(): boolean {
    return this.#mute !== undefined;
  }

  override async signal(signal: number): Promise<void> {
    if (this.isMute && signal === SIGKILL) return this.kill();
    await super.signal(signal);
  }

  override async joinNetwork(options: Omit<JoinOptions, "dataRoot" | "owner">): Promise<void> {
    const { dataRoot, record } = this.options;
    const joined = await joinNetwork(this.#live, { ...options, dataRoot, owner: record.owner });
    this.#undo.use(joined);
    this.save({ networks: joined.networks });
  }

  override async leaveNetwork(network: readonly string[]): Promise<void> {
    this.save({ networks: await leaveNetwork(this.#live, network) });
  }

  /** Of a machine that has the host's network: what it listens on is the host's too. */
  #watchPorts(follower: PortFollower | undefined): void {
    if (follower === undefined) return;
    this.#portWatch = this.#undo.use(
      new PortWatch({
        follower,
        owner: this.options.record.owner ?? process.getuid?.() ?? 0,
        ask: (request) => this.ask(request),
        onChange: (ports) => this.save({ networks: { ...this.networks, ports } }),
        onRefusal: (text) => this.warn(text),
      }),
    );
  }

  get #live(): LiveContainer {
    const { record, runDirectory } = this.options;
    const { id, config } = record;
    return {
      container: id,
      hostname: containerHostname(id, config),
      config,
      runDirectory: runDirectory.path,
      networks: this.networks,
      ask: (request) => this.ask(request),
    };
  }

  protected get vcpus(): number {
    return this.state.shape?.vcpus ?? 1;
  }

  async update(resources: DaemonContainerConfig["resources"]): Promise<readonly string[]> {
    const { shape } = this.state;
    const limits = guestResources(shape ? withinMachine(resources, shape) : resources);
    await this.#limitDisks(resources);
    this.#cgroup.admit(this.pid, resources);
    await this.ask({ type: "container.update", container: this.id, resources: limits });
    return shape ? beyondMachine(resources, shape) : [];
  }

  async #limitDisks(resources: DaemonContainerConfig["resources"]): Promise<void> {
    const limits = diskLimits(resources);
    if (isDeepStrictEqual(limits, this.#diskLimits)) return;
    const machine = this.#machine;
    if (machine?.setDiskLimits === undefined) {
      const hint = "machines of --vmm qemu take others; this one does at its next start";
      throw engineError("NOT_SUPPORTED", "a running machine's disks keep their limits", { hint });
    }
    await machine.setDiskLimits(limits);
    this.#diskLimits = limits;
  }

  /** Ends the machine at once; the process was killed then. */
  async kill(): Promise<void> {
    this.#killed = true;
    await this.#machine?.kill();
  }

  /** Notes how the process ended, then lets the guest write back its disks and ends the machine. */
  async finish(exit: ContainerExit): Promise<void> {
    this.save({ exit });
    try {
      await this.#shutDown();
    } catch (error) {
      // its disk has a journal
      this.warn(`shutting down: ${(error as Error).message}`);
    }
    await this[Symbol.asyncDispose]();
  }

  /** Kills the machine and removes its run directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo.disposeAsync();
    await releaseSwap(this.options.record, this.options.dataRoot);
    this.options.runDirectory[Symbol.dispose]();
  }

  /** Lets go of the machine, which runs on for the next daemon. */
  release(): void {
    this.#portWatch?.release();
    this.#agent?.removeAllListeners();
    this.#agent?.close();
  }

  async #boot(options: StartRunOptions): Promise<void> {
    const { parts, onEvent, dataRoot, pool } = options;
    const boot = await this.#bootOptions(options);
    const { hypervisor } = boot;
    const opened = await openMachine({
      ...boot,
      takeSpare: (config) => pool.take(hypervisor, config),
      onNoTemplate: (config) => {
        const made = parts.makeTemplate?.({ hypervisor, config, dataRoot, onEvent });
        void made?.then(() => pool.want(hypervisor, config));
      },
    });
    const { machine, agent, ready } = this.#undo.use(opened);
    this.#admit(machine);
    this.watch(agent);
    this.#watchEnd(agent);
    this.#hold(machine, agent);
    this.#ready = ready;
  }

  /** The same for a machine that was saved: its agent knows the container. */
  async #goOn(options: RestoreRunOptions): Promise<void> {
    const { saved, memory } = options;
    const boot = await this.#bootOptions(options);
    const { attachments, ports } = this.#network;
    this.options.log.begin();
    // a daemon that dies from here on leaves a machine that the next one takes over
    this.save({ startedAt: new Date().toISOString(), networks: { attachments, ports } });
    const prepare = (client: AgentClient) => {
      this.reopen(client);
      this.#watchEnd(client);
    };
    const opened = await restoreMachine(boot, {
      memory,
      saved,
      config: options.record.config,
      prepare,
    });
    const { machine, agent } = this.#undo.use(opened);
    this.#admit(machine);
    this.#hold(machine, agent);
    this.#noteBoot();
    await opened.release();
  }

  #admit(machine: Machine): void {
    for (const lack of this.#cgroup.admit(machine.pid, this.options.record.config.resources)) {
      this.warn(`limits on the host: ${lack}`);
    }
  }

  /** Makes what its machine needs beside itself. */
  async #bootOptions(options: MachineRunOptions): Promise<BootOptions> {
    const { record, parts, onEvent, signal, runDirectory } = options;
    const { id: container, config } = record;
    const { hypervisor, reason } = await inPhase(onEvent, { container, phase: "accelerator" }, () =>
      parts.openHypervisor(config.machine, options.dataRoot),
    );
    signal.throwIfAborted();
    const shape = machineShape(config.resources, hypervisor.accelerator);
    const { name: backend, accelerator } = hypervisor;
    this.note({ shape: runningShape(config.resources, accelerator) });
    onEvent({ type: "machine", container, backend, accelerator, reason, ...shape });
    this.#network = this.#undo.use(
      await inPhase(onEvent, { container, phase: "network" }, () =>
        prepareNetwork({
          container,
          config,
          exposedPorts: record.image.run.exposedPorts,
          names: [record.name, containerHostname(container, config)],
          dataRoot: options.dataRoot,
          runDirectory: runDirectory.path,
          owner: record.owner,
        }),
      ),
    );
    this.#mounts = await prepareVolumes(record, options.dataRoot, runDirectory.path);
    return {
      container,
      hypervisor,
      artifacts: parts.findArtifacts(),
      shape,
      extents: options.extents,
      writableDisk: options.writableDisk,
      disposable: config.autoRemove,
      runDirectory: runDirectory.path,
      hostname: containerHostname(container, config),
      network: this.#network,
      mounts: this.#mounts,
      diskLimits: diskLimits(config.resources),
      deadlines: options.deadlines,
      detached: true,
      onProcess: (pid) => runDirectory.noteMachine(pid),
      onEvent,
      signal,
    };
  }

  async #startProcess({ signal, onOpened }: StartRunOptions): Promise<void> {
    const { record } = this.options;
    const { id, config } = record;
    const machine = this.#machine;
    const ready = this.#ready;
    if (machine === undefined || ready === undefined) throw new TypeError("no machine was opened");
    const { attachments, ports, settled } = this.#network;
    const { shares } = this.#mounts;
    await this.startProcess({
      machine,
      spec: containerSpec(id, config, this.#network, this.#mounts),
      ready: ready.then(() => this.#noteBoot()),
      ...(settled && { settled: settled() }),
      noted: { networks: { attachments, ports }, ...(shares.length > 0 && { shares }) },
      onOpened,
      signal,
    });
    machine.noteRunning?.();
    this.#watchPorts(this.#network.follower);
  }

  #noteBoot(): void {
    this.#bootedAt = Date.now() - this.agent.hello.uptime / 1000;
  }

  async #takeOver({ onTakeOver, disks }: AdoptOptions): Promise<boolean> {
    const { record, parts, runDirectory, dataRoot, deadlines } = this.options;
    const { id, config } = record;
    const { generation } = this.state;
    const { hypervisor } = await parts.openHypervisor(config.machine, dataRoot);
    if (hypervisor.adopt === undefined) {
      throw engineError("MACHINE_LOST", "the virtual machine ended with the earlier dvmd");
    }
    const { shape = runningShape(config.resources, hypervisor.accelerator) } = this.state;
    this.note({ shape });
    const { follower } = this.#undo.use(await adoptNetwork(runDirectory.path));
    const machine = this.#undo.use(
      await withDeadline(hypervisor.adopt({ id, runDirectory: runDirectory.path, disks }), {
        what: "finding the virtual machine again",
        milliseconds: deadlines.configure,
      }),
    );
    // a client that dies from here on has spoken to the guest
    this.save({});
    const prepare = (client: AgentClient) => {
      this.reopen(client);
      this.#watchEnd(client);
      onTakeOver(client);
    };
    const agent = await withDeadline(
      connectAgent(machine.agent, { takeOver: { generation, prepare }, alias: this.#alias }),
      { what: "the guest agent's hello", milliseconds: deadlines.hello },
    ).catch((error: unknown) => this.#keepMute(error));
    this.#hold(machine, agent);
    if (agent === undefined) return this.state.stdio !== undefined;
    this.#noteBoot();
    this.#undo.defer(() => agent.close());
    this.#watchPorts(follower);
    return this.isStarted(agent);
  }

  get #alias(): ContainerAlias | undefined {
    const { inGuest } = this.state;
    return inGuest === undefined ? undefined : { name: this.id, inGuest };
  }

  /** A machine of another version of dvm is not killed for that: what runs in it runs on. */
  #keepMute(error: unknown): undefined {
    if (!(error instanceof DvmError) || error.code !== "AGENT_VERSION") throw error;
    this.#mute = error;
    this.warn(`it runs on, and can only be killed: ${error.message}`);
  }

  #hold(machine: Machine, agent: AgentClient | undefined): void {
    this.#machine = machine;
    this.#agent = agent;
    void machine.exit.then(() => this.#lost(undefined));
  }

  #watchEnd(agent: AgentClient): void {
    agent.once("closed", (error) => {
      if (error?.code !== "AGENT_VERSION") void this.#lost(error);
    });
  }

  /** The machine, or the conversation with it, is over: a machine that nobody can speak to is of no use. */
  async #lost(error: Error | undefined): Promise<void> {
    const exit = await explainEnd(this.#machine, { error, isKilled: this.#killed });
    this.process.lost(exit);
    this.execs.lost(exit);
  }

  async #shutDown(): Promise<void> {
    const machine = this.#machine;
    if (machine === undefined || this.#killed) return;
    const { config, mounts = [] } = this.options.record;
    // its disk goes with it, and it shared nothing: there is nothing to write back
    if (config.autoRemove && mounts.length === 0) return this.kill();
    const isOver = await Promise.race([machine.exit, undefined]);
    if (isOver !== undefined) return;
    const options = { what: "shutting down", milliseconds: this.options.deadlines.shutdown };
    await withDeadline(this.agent.request({ type: "machine.shutdown" }), options);
    await withDeadline(machine.exit, options);
  }

  /** @throws DvmError `WRONG_STATE` */
  get agent(): AgentClient {
    if (this.#mute !== undefined) throw this.#mute;
    if (this.#agent === undefined) {
      throw engineError("WRONG_STATE", `container ${this.id} is not running`);
    }
    return this.#agent;
  }
}
