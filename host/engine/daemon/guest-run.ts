/** A container that runs in a guest, whosever machine that is: its processes, and what the guest is asked about it. */

import type { ContainerSpec, Request, TerminalSize } from "#protocol";
import type { AgentClient, Reply } from "../../agent/agent-client.ts";
import type { Machine } from "../../vmm/hypervisor.ts";
import { explainLoss, type GuestDeadlines } from "../boot-machine.ts";
import type { ContainerExit } from "../container-exit.ts";
import type { ContainerRecord } from "../container-record.ts";
import { withDeadline } from "../deadline.ts";
import { type EventSink, inPhase } from "../engine-event.ts";
import type { EngineParts } from "../engine-parts.ts";
import { engineError } from "../errors.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";
import type { JoinOptions } from "../networks/live-networks.ts";
import type { RunDirectory } from "../run-directory.ts";
import { creationDeadline } from "../volumes/prepared-mounts.ts";
import type { ContainerLog } from "./container-log.ts";
import { sharesNetwork } from "./container-refusals.ts";
import { Execs } from "./execs.ts";
import { FILE_TASK_PREFIX } from "./file-task.ts";
import { GuestProcess } from "./guest-process.ts";
import type { DaemonContainerConfig, StatsSample } from "./model.ts";
import { execSpec, initSpec } from "./process-specs.ts";
import { type RunState, writeRunState } from "./run-state.ts";
import type { SharedMachine } from "./shared-machine.ts";

/** Name of a container's first process in the protocol. */
const INIT = "init";
const SIGKILL = 9;

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

export interface ProcessStart {
  readonly machine: Machine;
  readonly spec: ContainerSpec;
  /** settles when the agent is ready */
  readonly ready: Promise<void>;
  /** settles when its networks are in place: nothing of it runs before */
  readonly settled?: Promise<void>;
  /** what else the next daemon must know */
  readonly noted: Partial<RunState>;
  /** its streams are open and it has not started: who is to miss nothing joins now */
  readonly onOpened: (process: GuestProcess) => void;
  readonly signal: AbortSignal;
}

export abstract class GuestRun implements AsyncDisposable {
  readonly process: GuestProcess;
  readonly execs: Execs;
  protected readonly options: RunOptions;
  #state: RunState;
  #unwatch = () => {};

  protected constructor(options: RunOptions, state: RunState) {
    this.options = options;
    this.#state = state;
    this.process = new GuestProcess(options.log);
    this.execs = new Execs({
      container: options.record.id,
      agent: () => this.agent,
      processSpec: (stdio, exec) => execSpec(options.record, stdio, exec),
      deadline: options.deadlines.container,
      onChange: (execs) => this.save({ execs }),
    });
  }

  /** The machine that it runs in. @throws DvmError `WRONG_STATE` */
  abstract get machine(): SharedMachine;
  /** process id of the machine on the host */
  abstract get pid(): number;
  /** when the guest's kernel started, in `milliseconds` since the epoch */
  abstract get bootedAt(): number;
  /** vCPUs of the machine */
  protected abstract get vcpus(): number;
  /** whether its agent is of a version that nobody here speaks: it can only be killed */
  abstract get isMute(): boolean;
  /** The conversation with the guest. @throws DvmError `WRONG_STATE` */
  abstract get agent(): AgentClient;
  /** @returns what of it the machine cannot give before the next start, in words */
  abstract update(resources: DaemonContainerConfig["resources"]): Promise<readonly string[]>;
  /** Ends it at once; the process was killed then. */
  abstract kill(): Promise<void>;
  /** Its process has ended: takes down what was made for it. */
  abstract finish(exit: ContainerExit): Promise<void>;
  /** Lets go of it; it runs on for the next daemon. */
  abstract release(): void;
  abstract [Symbol.asyncDispose](): Promise<void>;

  /** where it is connected */
  get networks(): ContainerNetworks {
    return this.#state.networks ?? { attachments: [], ports: [] };
  }

  /** Joins a network, for good when the caller has noted it. @throws DvmError `NOT_SUPPORTED` for another's network */
  joinNetwork(_options: Omit<JoinOptions, "dataRoot" | "owner">): Promise<void> {
    return Promise.reject(sharesNetwork());
  }

  /** @param _network name and id of it */
  leaveNetwork(_network: readonly string[]): Promise<void> {
    return Promise.reject(sharesNetwork());
  }

  /** RFC 3339 */
  get startedAt(): string {
    return this.#state.startedAt ?? new Date().toISOString();
  }

  async signal(signal: number): Promise<void> {
    await this.ask({ type: "process.signal", container: this.id, process: INIT, signal });
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.ask({ type: "process.resize", container: this.id, process: INIT, size });
  }

  async pause(): Promise<void> {
    await this.ask({ type: "container.pause", container: this.id });
  }

  async unpause(): Promise<void> {
    await this.ask({ type: "container.resume", container: this.id });
  }

  async processes(): Promise<NonNullable<Reply["processes"]>> {
    const { processes = [] } = await this.ask({
      type: "container.processes",
      container: this.id,
    });
    return processes;
  }

  async stats(): Promise<StatsSample> {
    const { stats } = await this.ask({ type: "container.stats", container: this.id });
    if (stats === undefined) throw engineError("MACHINE_LOST", "the guest gave no counters");
    const { oomKills: _, ...counters } = stats;
    const ran = Math.max(0, Date.now() - Date.parse(this.startedAt)) * 1000;
    return {
      ...counters,
      read: new Date().toISOString(),
      systemCpuMicroseconds: ran * this.vcpus,
      onlineCpus: this.vcpus,
    };
  }

  /** Listens to what the guest says of it, and goes on with the streams of an earlier daemon (`TakeOver.prepare`). */
  reopen(client: AgentClient): void {
    const { stdio, execs } = this.#state;
    const logged = this.options.log.resume();
    const { base = { stdout: 0, stderr: 0 } } = this.#state;
    const offsets = { stdout: base.stdout + logged.stdout, stderr: base.stderr + logged.stderr };
    this.watch(client);
    if (stdio !== undefined) this.process.reopen(client, stdio, offsets);
    this.execs.reopen(client, execs);
  }

  protected get id(): string {
    return this.options.record.id;
  }

  protected get state(): RunState {
    return this.#state;
  }

  protected async startProcess(start: ProcessStart): Promise<void> {
    const { machine, spec, ready, settled, noted, signal, onOpened } = start;
    // what fails before is the one to tell of
    ready.catch(() => {});
    const { record, deadlines, log, onEvent } = this.options;
    const { id: container, config } = record;
    const { agent } = this;
    const milliseconds = creationDeadline(deadlines.container, spec.mounts);
    const ask = (what: string, request: Request) => {
      const reply = agent.request(request);
      const done = withDeadline(reply, { what, milliseconds, signal });
      // without the step before none can be done: the first failure is the one to tell of
      done.catch(() => {});
      return done;
    };
    // The agent takes requests in their order: the next one is there when one is done.
    const creation = ask("making the container", { type: "container.create", container, spec });
    try {
      // before its streams are open: what is written to them goes to the guest, which has to know the process by then
      if (settled) await withDeadline(settled, { what: "the network", milliseconds, signal });
      log.begin();
      const { openStdin: stdin, terminal } = config;
      const stdio = this.process.open(agent, { stdin, stdout: true, stderr: !terminal });
      onOpened(this.process);
      // noted first: a daemon that dies now leaves a process that the next one finds
      this.save({ stdio, startedAt: new Date().toISOString(), ...noted });
      const process = initSpec(record, stdio);
      const start = ask("starting the process", { type: "container.start", container, process });
      await ready;
      await inPhase(onEvent, { container, phase: "container-create" }, () => creation);
      await inPhase(onEvent, { container, phase: "process-start" }, () => start);
    } catch (error) {
      signal.throwIfAborted();
      throw await explainLoss(machine, error);
    }
  }

  /** Whether a container that an earlier daemon had was started, when its streams are open again. */
  protected async isStarted(agent: AgentClient): Promise<boolean> {
    const { stdio, exit } = this.#state;
    if (stdio === undefined) return false;
    if (exit !== undefined) this.process.exited(exit);
    this.#endFileTasks(agent);
    if (agent.hello.containers[this.id]?.includes(INIT)) return true;
    // ends of the past come right after the hello: without one the guest was never asked to start the process
    await withDeadline(agent.request({ type: "machine.ping" }), {
      what: "the guest agent's answer",
      milliseconds: this.options.deadlines.hello,
    });
    return this.process.hasExited;
  }

  protected watch(agent: AgentClient): void {
    const onExit = (end: {
      readonly container: string;
      readonly process: string;
      readonly code: number;
      readonly oomKilled: boolean;
    }) => {
      if (end.container !== this.id) return;
      const exit = { exitCode: end.code, oomKilled: end.oomKilled };
      if (end.process === INIT) this.process.exited(exit);
      else this.execs.exited(end.process, exit);
    };
    const onOom = ({ container }: { readonly container: string }) => {
      if (container === this.id) this.options.onOom();
    };
    agent.on("process.exit", onExit);
    agent.on("container.oom", onOom);
    this.#unwatch = () => {
      agent.off("process.exit", onExit);
      agent.off("container.oom", onOom);
    };
  }

  protected unwatch(): void {
    this.#unwatch();
  }

  protected async ask(request: Request): Promise<Reply> {
    return withDeadline(this.agent.request(request), {
      what: request.type,
      milliseconds: this.options.deadlines.container,
    });
  }

  /** To be kept with what is saved next. */
  protected note(change: Partial<RunState>): void {
    this.#state = { ...this.#state, ...change };
  }

  protected save(change: Partial<RunState>): void {
    this.note(change);
    try {
      writeRunState(this.options.runDirectory.path, this.#state);
    } catch (error) {
      this.warn(`keeping the state of the machine: ${(error as Error).message}`);
    }
  }

  protected warn(text: string): void {
    this.options.onEvent({ type: "warning", container: this.id, text });
  }

  /** Nobody is there any more for whom they work. */
  #endFileTasks(agent: AgentClient): void {
    for (const process of agent.hello.containers[this.id] ?? []) {
      if (!process.startsWith(FILE_TASK_PREFIX)) continue;
      const request = {
        type: "process.signal",
        container: this.id,
        process,
        signal: SIGKILL,
      } as const;
      agent.request(request).catch(() => {});
    }
  }
}
