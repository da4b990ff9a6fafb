/** The agent: serves the host's requests over one channel, and tells it what becomes of the containers. */

import type { ExitedProcess } from "../container/container.ts";
import { Containers } from "../container/containers.ts";
import type { ContainerError } from "../container/errors.ts";
import { asContainerError } from "../container/report.ts";
import type { StartedProcess } from "../container/start-process.ts";
import { POLLIN, POLLPRI } from "../linux/poll.ts";
import {
  Channel,
  type FromGuest,
  type FromHost,
  fromHost,
  ProtocolError,
  type Request,
  type Stdio,
} from "../protocol/index.ts";
import type { Fd, Syscalls, WaitResult } from "../syscalls/syscalls.ts";
import { AgentPort } from "./agent-port.ts";
import { configureInterface, takeDownInterface } from "./configure-interface.ts";
import { configureMachine } from "./configure-machine.ts";
import { mountCgroups } from "./early-mounts.ts";
import type { EventLoop, Watch } from "./event-loop.ts";
import { hello } from "./hello.ts";
import { listeners } from "./listeners.ts";
import { abandonStreams, claimStreams, RunningProcess } from "./running-process.ts";
import { shutDown } from "./shut-down.ts";
import { SyncTail } from "./sync-tail.ts";

/** What a request that was done adds to its reply. */
type Answer = Omit<Extract<FromGuest, { readonly type: "reply" }>, "type" | "id">;

/** A child whose way to its program is not over. */
interface Starting {
  /** request to answer */
  readonly id: number;
  readonly watch: Watch;
}

/** Ends of further processes that are told again. */
const MAX_EXITS = 256;

/** How long the last reply may take to leave the machine, in turns of 10 `milliseconds`. */
const LAST_TURNS = 100;

export class Agent {
  /** called before work that takes as long as a disk may */
  beforeLongWork: () => void = () => {};
  readonly #sys: Syscalls;
  readonly #loop: EventLoop;
  readonly #containers: Containers;
  readonly #channel: Channel;
  readonly #port: AgentPort;
  readonly #tail = new SyncTail();
  readonly #processes = new Map<number, RunningProcess>();
  readonly #starting = new Map<number, Starting>();
  readonly #memoryWatches = new Map<string, Watch>();
  /** exits by container, told again to a host that comes back */
  readonly #exits = new Map<string, FromGuest[]>();
  #hasOutput = false;
  #ending = false;
  #hasCgroups = false;

  constructor(sys: Syscalls, loop: EventLoop, port: Fd, containers = new Containers(sys)) {
    this.#sys = sys;
    this.#loop = loop;
    this.#containers = containers;
    this.#channel = new Channel({
      onMessage: (value) => this.#serve(value),
      onSynchronised: () => this.#greet(),
      onOutput: () => {
        this.#hasOutput = true;
      },
    });
    this.#port = new AgentPort(sys, loop, port, {
      onData: (bytes) => this.#receive(bytes),
      onLost: () => this.#channel.lost(),
      nextOutput: () => this.#channel.nextOutput(),
    });
    this.#channel.announce();
    this.#flush();
  }

  /** One turn of the event loop, then what it left to send. */
  turn(timeout?: number): void {
    this.#loop.turn(timeout);
    this.#flush();
    if (this.#ending) this.#end();
  }

  /** The port's driver has news. */
  onPortSignal(): void {
    this.#port.onSignal();
  }

  /** A child was reaped. */
  onChild({ pid, status }: WaitResult): void {
    const starting = this.#starting.get(pid);
    // The container layer closes the report when it hears of the exit.
    if (starting !== undefined) this.#loop.unwatch(starting.watch);
    const exited = this.#containers.onExit(pid, status);
    if (starting !== undefined) this.#settle(pid, starting.id, exited?.failure);
    if (exited !== undefined && exited.failure === undefined) {
      this.#processes.get(pid)?.exited(exited);
    }
  }

  #flush(): void {
    if (!this.#hasOutput) return;
    this.#hasOutput = false;
    this.#port.flush();
  }

  /** A host that opens anew in the middle of a conversation breaks its frames: that is no reason to stop listening. */
  #receive(bytes: Uint8Array): void {
    try {
      this.#channel.receive(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#channel.lost();
      this.#channel.receive(this.#tail.before(bytes));
    }
    this.#tail.keep(bytes);
  }

  #greet(): void {
    this.#send(hello(this.#sys, this.#containers.list()));
    for (const exits of this.#exits.values()) for (const exit of exits) this.#send(exit);
    for (const process of this.#processes.values()) process.resume();
  }

  /** What a host that is away cannot hear is not kept: it learns the state of things from `hello`. */
  #send(message: FromGuest): void {
    if (this.#channel.synchronised) this.#channel.send(message);
  }

  #serve(value: unknown): void {
    const message = this.#parse(value);
    if (message === undefined) return;
    const { id, request } = message;
    // A request may take long, or be the first of several: what was answered before is on its way meanwhile.
    this.#flush();
    try {
      const answer = this.#perform(id, request);
      if (answer !== undefined) this.#send({ type: "reply", id, ...answer });
    } catch (error) {
      this.#fail(id, asContainerError(error, request.type));
    }
  }

  /** A request that makes no sense gets an answer when it can; anything else breaks the protocol. */
  #parse(value: unknown): FromHost | undefined {
    try {
      return fromHost.parse(value);
    } catch (error) {
      const id =
        typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
      if (!(error instanceof ProtocolError) || typeof id !== "number") throw error;
      const { code, message } = error;
      this.#send({ type: "failure", id, error: { code, message, exitCode: 125 } });
      return undefined;
    }
  }

  #fail(id: number, { code, message, exitCode }: ContainerError): void {
    this.#send({ type: "failure", id, error: { code, message, exitCode } });
  }

  /** @returns what to reply, `undefined` when that is not known yet */
  #perform(id: number, request: Request): Answer | undefined {
    const containers = this.#containers;
    switch (request.type) {
      case "machine.configure":
        configureMachine(this.#sys, request);
        return {};
      case "machine.ping":
        return {};
      case "machine.shutdown":
        this.#ending = true;
        return {};
      case "container.create":
        this.#prepareCgroups();
        containers.create(request.container, request.spec);
        this.#watchMemory(request.container);
        return {};
      case "container.start":
        this.#start(id, request.process.stdio, () =>
          containers.start(request.container, request.process),
        );
        return undefined;
      case "container.exec":
        this.#start(id, request.spec.stdio, () =>
          containers.exec(request.container, request.process, request.spec),
        );
        return undefined;
      case "container.files":
        this.#start(id, request.stdio, () =>
          containers.files(request.container, request.process, request),
        );
        return undefined;
      case "process.signal":
        containers.signal(request.container, request.process, request.signal);
        return {};
      case "process.resize":
        containers.resize(request.container, request.process, request.size);
        return {};
      case "container.pause":
        containers.pause(request.container);
        return {};
      case "container.resume":
        containers.resume(request.container);
        return {};
      case "container.update":
        containers.update(request.container, request.resources);
        return {};
      case "container.network":
        for (const leaving of request.disconnect) takeDownInterface(this.#sys, leaving);
        for (const wanted of request.connect) configureInterface(this.#sys, wanted);
        containers.changeNetwork(request.container, request);
        return {};
      case "machine.listeners":
        return { listeners: listeners(this.#sys, request.held) };
      case "container.stats":
        return { stats: containers.stats(request.container) };
      case "container.processes":
        return { processes: containers.processes(request.container) };
      case "container.remove":
        this.#remove(request.container);
        return {};
    }
  }

  #prepareCgroups(): void {
    if (this.#hasCgroups) return;
    mountCgroups(this.#sys);
    this.#hasCgroups = true;
  }

  #start(id: number, stdio: Stdio, start: () => StartedProcess): void {
    const streams = claimStreams(this.#channel, stdio);
    let started: StartedProcess;
    try {
      started = start();
    } catch (error) {
      abandonStreams(this.#channel, streams);
      throw error;
    }
    const { pid, report } = started;
    const process = new RunningProcess({
      sys: this.#sys,
      loop: this.#loop,
      channel: this.#channel,
      started,
      streams,
      onDone: (exited) => this.#tellExit(pid, exited),
    });
    this.#processes.set(pid, process);
    const watch = this.#loop.watch(report, POLLIN, () => {
      this.#loop.unwatch(watch);
      this.#settle(pid, id, this.#containers.started(pid));
    });
    this.#starting.set(pid, { id, watch });
  }

  /** The child became its program, or says why it could not. */
  #settle(pid: number, id: number, failure: ContainerError | undefined): void {
    this.#starting.delete(pid);
    if (failure === undefined) {
      this.#send({ type: "reply", id, pid });
      return;
    }
    this.#processes.get(pid)?.abandon();
    this.#processes.delete(pid);
    this.#fail(id, failure);
  }

  #tellExit(pid: number, { container, process, code, oomKilled }: ExitedProcess): void {
    this.#processes.delete(pid);
    const exit: FromGuest = { type: "process.exit", container, process, code, oomKilled };
    const exits = this.#exits.get(container);
    if (exits === undefined) this.#exits.set(container, [exit]);
    else exits.splice(0, exits.length, ...latest(exits), exit);
    this.#send(exit);
  }

  #watchMemory(container: string): void {
    const fd = this.#containers.oomEvents(container);
    if (fd === undefined) return;
    const watch = this.#loop.watch(fd, POLLPRI, () => {
      if (this.#containers.newOomKill(container)) this.#send({ type: "container.oom", container });
    });
    this.#memoryWatches.set(container, watch);
  }

  #remove(container: string): void {
    const watch = this.#memoryWatches.get(container);
    // The container layer closes the descriptor.
    if (watch !== undefined) this.#loop.unwatch(watch);
    this.#memoryWatches.delete(container);
    this.beforeLongWork();
    this.#containers.remove(container);
    this.#exits.delete(container);
  }

  #end(): void {
    this.beforeLongWork();
    for (let turn = 0; !this.#port.idle && turn < LAST_TURNS; turn++) {
      this.#loop.turn(10);
      this.#port.flush();
    }
    shutDown(this.#sys, this.#containers);
  }
}

/** The end of the first process, and the last ones of others. */
function latest(exits: readonly FromGuest[]): FromGuest[] {
  const isFirst = (exit: FromGuest) => exit.type === "process.exit" && exit.process === "init";
  return [...exits.filter(isFirst), ...exits.filter((exit) => !isFirst(exit)).slice(-MAX_EXITS)];
}
