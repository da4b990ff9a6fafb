/** A machine with a container in it, from its boot, or its adoption, to its end. */

import type { Request, TerminalSize } from "#protocol";
import { type AgentClient, connectAgent, type Reply } from "../../agent/agent-client.ts";
import type { Machine } from "../../vmm/hypervisor.ts";
import { explainLoss, type GuestDeadlines, openMachine } from "../boot-machine.ts";
import type { ContainerRecord } from "../container-record.ts";
import { containerHostname, containerSpec, guestResources } from "../container-spec.ts";
import { withDeadline } from "../deadline.ts";
import { diskLimits } from "../disk-limits.ts";
import { type EventSink, inPhase } from "../engine-event.ts";
import type { EngineParts, PreparedImage } from "../engine-parts.ts";
import { engineError } from "../errors.ts";
import { HostCgroup } from "../host-cgroup.ts";
import type { ContainerExit } from "../live-container.ts";
import { machineShape } from "../machine-shape.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";
import { adoptNetwork, NO_NETWORK, prepareNetwork } from "../networks/prepare-network.ts";
import type { RunDirectory } from "../run-directory.ts";
import { prepareVolumes } from "../volumes/container-volumes.ts";
import { NO_MOUNTS } from "../volumes/prepared-mounts.ts";
import type { ContainerLog } from "./container-log.ts";
import { Execs } from "./execs.ts";
import { FILE_TASK_PREFIX } from "./file-task.ts";
import { GuestProcess } from "./guest-process.ts";
import type { DaemonContainerConfig, StatsSample } from "./model.ts";
import { execSpec, initSpec } from "./process-specs.ts";
import { newRunState, type RunState, writeRunState } from "./run-state.ts";

/** Name of a container's first process in the protocol. */
const INIT = "init";
/** Status of a process whose machine was killed: 128 + SIGKILL. */
const KILLED = 137;
const SIGKILL = 9;
/** Docker's status for a failure of the engine. */
const FAILED = 125;

export interface RunOptions {
  readonly record: ContainerRecord;
  readonly runDirectory: RunDirectory;
  readonly dataRoot: string;
  readonly log: ContainerLog;
  readonly parts: EngineParts;
  readonly deadlines: GuestDeadlines;
  readonly onEvent: EventSink;
  readonly onOom: () => void;
}

export interface StartRunOptions extends RunOptions {
  readonly extents: PreparedImage["extents"];
  readonly writableDisk: string;
  /** its streams are open and it has not started: who is to miss nothing joins now */
  readonly onOpened: (process: GuestProcess) => void;
  readonly signal: AbortSignal;
}

export class ContainerRun {
  readonly process: GuestProcess;
  readonly execs: Execs;
  readonly #options: RunOptions;
  readonly #undo = new AsyncDisposableStack();
  #machine: Machine | undefined;
  #agent: AgentClient | undefined;
  /** settles when the agent is ready */
  #ready: Promise<void> | undefined;
  #network = NO_NETWORK;
  #mounts = NO_MOUNTS;
  #state: RunState;
  #killed = false;
  #bootedAt = 0;
  /** vCPUs of the machine */
  #vcpus = 1;

  private constructor(options: RunOptions, state: RunState) {
    this.#options = options;
    this.#state = state;
    this.process = new GuestProcess(options.log);
    this.execs = new Execs({
      container: options.record.id,
      agent: () => this.#live(),
      processSpec: (stdio, exec) => execSpec(options.record, stdio, exec),
      deadline: options.deadlines.container,
      onChange: (execs) => this.#save({ execs }),
    });
  }

  /** Boots a machine and starts the container's process in it; whatever fails is taken down again. */
  static async start(options: StartRunOptions): Promise<ContainerRun> {
    const run = new ContainerRun(options, newRunState(options.record.id));
    try {
      await run.#boot(options);
      await run.#startProcess(options);
      return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Takes over the machine of an earlier daemon.
   *
   * @returns nothing when its process had not been started
   * @throws DvmError when the machine is gone, or does not answer: it is killed then
   */
  static async adopt(options: RunOptions, state: RunState): Promise<ContainerRun | undefined> {
    const run = new ContainerRun(options, { ...state, generation: state.generation + 1 });
    try {
      if (await run.#takeOver()) return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
    await run[Symbol.asyncDispose]();
    return undefined;
  }

  /** process id of the machine on the host */
  get pid(): number {
    return this.#machine?.pid ?? 0;
  }

  /** where it is connected */
  get networks(): ContainerNetworks {
    return this.#state.networks ?? { attachments: [], ports: [] };
  }

  /** RFC 3339 */
  get startedAt(): string {
    return this.#state.startedAt ?? new Date().toISOString();
  }

  /** when the guest's kernel started, in `milliseconds` since the epoch */
  get bootedAt(): number {
    return this.#bootedAt;
  }

  async signal(signal: number): Promise<void> {
    await this.#ask({ type: "process.signal", container: this.#id, process: INIT, signal });
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.#ask({ type: "process.resize", container: this.#id, process: INIT, size });
  }

  async pause(): Promise<void> {
    await this.#ask({ type: "container.pause", container: this.#id });
  }

  async unpause(): Promise<void> {
    await this.#ask({ type: "container.resume", container: this.#id });
  }

  async update(resources: DaemonContainerConfig["resources"]): Promise<void> {
    const limits = guestResources(resources);
    new HostCgroup(this.#id).admit(this.pid, resources);
    await this.#ask({ type: "container.update", container: this.#id, resources: limits });
  }

  async processes(): Promise<NonNullable<Reply["processes"]>> {
    const { processes = [] } = await this.#ask({
      type: "container.processes",
      container: this.#id,
    });
    return processes;
  }

  async stats(): Promise<StatsSample> {
    const { stats } = await this.#ask({ type: "container.stats", container: this.#id });
    if (stats === undefined) throw engineError("MACHINE_LOST", "the guest gave no counters");
    const { oomKills: _, ...counters } = stats;
    const ran = Math.max(0, Date.now() - Date.parse(this.startedAt)) * 1000;
    return {
      ...counters,
      read: new Date().toISOString(),
      systemCpuMicroseconds: ran * this.#vcpus,
      onlineCpus: this.#vcpus,
    };
  }

  /** Ends the machine at once; the process was killed then. */
  async kill(): Promise<void> {
    this.#killed = true;
    await this.#machine?.kill();
  }

  /** Notes how the process ended, then lets the guest write back its disks and ends the machine. */
  async finish(exit: ContainerExit): Promise<void> {
    this.#save({ exit });
    try {
      await this.#shutDown();
    } catch (error) {
      // its disk has a journal
      this.#warn(`shutting down: ${(error as Error).message}`);
    }
    await this[Symbol.asyncDispose]();
  }

  /** Kills the machine and removes its run directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo.disposeAsync();
    this.#options.runDirectory[Symbol.dispose]();
  }

  /** Lets go of the machine, which runs on for the next daemon. */
  release(): void {
    this.#agent?.removeAllListeners();
    this.#agent?.close();
  }

  get #id(): string {
    return this.#options.record.id;
  }

  async #boot(options: StartRunOptions): Promise<void> {
    const { record, parts, onEvent, signal, runDirectory } = options;
    const { id: container, config } = record;
    const { hypervisor, reason } = await inPhase(onEvent, { container, phase: "accelerator" }, () =>
      parts.openHypervisor(config.machine, options.dataRoot),
    );
    signal.throwIfAborted();
    const shape = machineShape(config.resources, hypervisor.accelerator);
    this.#vcpus = shape.vcpus;
    const { name: backend, accelerator } = hypervisor;
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
    const cgroup = this.#undo.use(new HostCgroup(container));
    this.#mounts = await prepareVolumes(record, options.dataRoot, runDirectory.path);
    const booted = this.#undo.use(
      await openMachine({
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
        onNoTemplate: (machine) => parts.makeTemplate?.(hypervisor, machine, onEvent),
        onEvent,
        signal,
      }),
    );
    runDirectory.noteMachine(booted.machine.pid);
    for (const lack of cgroup.admit(booted.machine.pid, config.resources)) {
      this.#warn(`limits on the host: ${lack}`);
    }
    this.#watch(booted.agent);
    this.#hold(booted.machine, booted.agent);
    this.#ready = booted.ready;
  }

  async #startProcess({ signal, onOpened }: StartRunOptions): Promise<void> {
    const { record, deadlines, log, onEvent } = this.#options;
    const { id: container, config } = record;
    const agent = this.#live();
    const ask = (what: string, request: Request) => {
      const reply = agent.request(request);
      const done = withDeadline(reply, { what, milliseconds: deadlines.container, signal });
      // without the step before none can be done: the first failure is the one to tell of
      done.catch(() => {});
      return done;
    };
    const spec = containerSpec(container, config, this.#network, this.#mounts);
    // The agent takes requests in their order: the next one is there when one is done.
    const creation = ask("making the container", { type: "container.create", container, spec });
    try {
      log.begin();
      const { openStdin: stdin, terminal } = config;
      const stdio = this.process.open(agent, { stdin, stdout: true, stderr: !terminal });
      onOpened(this.process);
      // noted first: a daemon that dies now leaves a process that the next one finds
      const { attachments, ports } = this.#network;
      const networks = { attachments, ports };
      this.#save({ stdio, startedAt: new Date().toISOString(), networks });
      const process = initSpec(record, stdio);
      const start = ask("starting the process", { type: "container.start", container, process });
      await this.#ready;
      this.#bootedAt = Date.now() - agent.hello.uptime / 1000;
      await inPhase(onEvent, { container, phase: "container-create" }, () => creation);
      await inPhase(onEvent, { container, phase: "process-start" }, () => start);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#machine === undefined ? error : await explainLoss(this.#machine, error);
    }
  }

  async #takeOver(): Promise<boolean> {
    const { record, parts, runDirectory, dataRoot, deadlines, log } = this.#options;
    const { id, config } = record;
    const { stdio, generation } = this.#state;
    const { hypervisor } = await parts.openHypervisor(config.machine, dataRoot);
    if (hypervisor.adopt === undefined) {
      throw engineError("MACHINE_LOST", "the virtual machine ended with the earlier dvmd");
    }
    this.#vcpus = machineShape(config.resources, hypervisor.accelerator).vcpus;
    this.#undo.use(await adoptNetwork(runDirectory.path));
    this.#undo.use(new HostCgroup(id));
    const machine = this.#undo.use(
      await withDeadline(hypervisor.adopt({ id, runDirectory: runDirectory.path }), {
        what: "finding the virtual machine again",
        milliseconds: deadlines.configure,
      }),
    );
    // a client that dies from here on has spoken to the guest
    this.#save({});
    const offsets = log.resume();
    const prepare = (client: AgentClient) => {
      this.#watch(client);
      if (stdio !== undefined) this.process.reopen(client, stdio, offsets);
      this.execs.reopen(client, this.#state.execs);
    };
    const agent = await withDeadline(
      connectAgent(machine.agent, { takeOver: { generation, prepare } }),
      { what: "the guest agent's hello", milliseconds: deadlines.hello },
    );
    this.#hold(machine, agent);
    this.#bootedAt = Date.now() - agent.hello.uptime / 1000;
    this.#undo.defer(() => agent.close());
    if (stdio === undefined) return false;
    const { exit } = this.#state;
    if (exit !== undefined) this.process.exited(exit);
    this.#endFileTasks(agent);
    if (agent.hello.containers[id]?.includes(INIT)) return true;
    // ends of the past come right after the hello: without one the guest was never asked to start the process
    await withDeadline(agent.request({ type: "machine.ping" }), {
      what: "the guest agent's answer",
      milliseconds: deadlines.hello,
    });
    return this.process.hasExited;
  }

  /** Nobody is there any more for whom they work. */
  #endFileTasks(agent: AgentClient): void {
    const container = this.#id;
    for (const process of agent.hello.containers[container] ?? []) {
      if (!process.startsWith(FILE_TASK_PREFIX)) continue;
      const request = { type: "process.signal", container, process, signal: SIGKILL } as const;
      agent.request(request).catch(() => {});
    }
  }

  #hold(machine: Machine, agent: AgentClient): void {
    this.#machine = machine;
    this.#agent = agent;
    void machine.exit.then(() => this.#lost(undefined));
  }

  #watch(agent: AgentClient): void {
    agent.on("process.exit", ({ container, process, code, oomKilled }) => {
      if (container !== this.#id) return;
      const exit = { exitCode: code, oomKilled };
      if (process === INIT) this.process.exited(exit);
      else this.execs.exited(process, exit);
    });
    agent.on("container.oom", () => this.#options.onOom());
    agent.once("closed", (error) => void this.#lost(error));
  }

  /** The machine, or the conversation with it, is over: a machine that nobody can speak to is of no use. */
  async #lost(error: Error | undefined): Promise<void> {
    const exit = await this.#explain(error);
    this.process.lost(exit);
    this.execs.lost(exit);
  }

  async #explain(error: Error | undefined): Promise<ContainerExit> {
    const machine = this.#machine;
    if (this.#killed || machine === undefined) return { exitCode: KILLED, oomKilled: false };
    const cause = error ?? engineError("MACHINE_LOST", "the virtual machine ended");
    const explained = await explainLoss(machine, cause);
    const exit = await Promise.race([machine.exit, undefined]);
    return {
      exitCode: exit?.reason === "killed" ? KILLED : FAILED,
      oomKilled: false,
      error: explained instanceof Error ? explained.message : String(explained),
    };
  }

  async #shutDown(): Promise<void> {
    const machine = this.#machine;
    if (machine === undefined || this.#killed) return;
    const { config, mounts = [] } = this.#options.record;
    // its disk goes with it, and it shared nothing: there is nothing to write back
    if (config.autoRemove && mounts.length === 0) return;
    const isOver = await Promise.race([machine.exit, undefined]);
    if (isOver !== undefined) return;
    const options = { what: "shutting down", milliseconds: this.#options.deadlines.shutdown };
    await withDeadline(this.#live().request({ type: "machine.shutdown" }), options);
    await withDeadline(machine.exit, options);
  }

  async #ask(request: Parameters<AgentClient["request"]>[0]): Promise<Reply> {
    return withDeadline(this.#live().request(request), {
      what: request.type,
      milliseconds: this.#options.deadlines.container,
    });
  }

  /** @throws DvmError `WRONG_STATE` */
  get agent(): AgentClient {
    return this.#live();
  }

  #live(): AgentClient {
    if (this.#agent === undefined) {
      throw engineError("WRONG_STATE", `container ${this.#id} is not running`);
    }
    return this.#agent;
  }

  #save(change: Partial<RunState>): void {
    this.#state = { ...this.#state, ...change };
    try {
      writeRunState(this.#options.runDirectory.path, this.#state);
    } catch (error) {
      this.#warn(`keeping the state of the machine: ${(error as Error).message}`);
    }
  }

  #warn(text: string): void {
    this.#options.onEvent({ type: "warning", container: this.#id, text });
  }
}
