/** For tests: a hypervisor whose machines are a few lines, with a guest that speaks the real protocol. */

import { type Duplex, duplexPair } from "node:stream";
import {
  Channel,
  type FromHost,
  fromHost,
  type OutgoingStream,
  PROTOCOL_VERSION,
  type Request,
} from "#protocol";
import type { Hypervisor, Machine, MachineConfig, MachineExit } from "../vmm/hypervisor.ts";

/** What the fake guest does; by default it runs `echo`-like: writes `out` and exits with `code`. */
export interface GuestBehaviour {
  /** stage that fails, with this error */
  readonly failStart?: Error;
  /** version of the protocol that it says to a second client; absent: ours */
  readonly laterVersion?: number;
  /** never says hello */
  readonly silent?: boolean;
  /** refuses requests of this type */
  readonly refuse?: {
    readonly type: Request["type"];
    readonly code: string;
    readonly exitCode: number;
  };
  /** closes the port on a request of this type */
  readonly vanishOn?: Request["type"];
  /** runs until it is signalled, and then exits with 128 plus the signal */
  readonly untilSignalled?: boolean;
  /** writes its input back, until its end */
  readonly cat?: boolean;
  readonly out?: string;
  readonly err?: string;
  readonly code?: number;
}

/** A hypervisor that notes what it was asked for. */
export class TestHypervisor implements Hypervisor {
  readonly name = "qemu" as const;
  readonly accelerator = "tcg" as const;
  readonly machines: TestMachine[] = [];
  readonly #behaviour: GuestBehaviour;

  constructor(behaviour: GuestBehaviour = {}) {
    this.#behaviour = behaviour;
  }

  async start(config: MachineConfig): Promise<Machine> {
    if (this.#behaviour.failStart !== undefined) throw this.#behaviour.failStart;
    const machine = new TestMachine(config, this.#behaviour);
    this.machines.push(machine);
    return machine;
  }

  /** The machines of a test are there for whoever asks. */
  async adopt(): Promise<Machine> {
    const machine = this.machines.at(-1);
    if (machine === undefined || machine.ended) throw new Error("there is no machine");
    machine.reconnect();
    return machine;
  }
}

export class TestMachine implements Machine {
  readonly config: MachineConfig;
  readonly pid = process.pid;
  agent: Duplex;
  readonly exit: Promise<MachineExit>;
  readonly requests: Request[] = [];
  readonly end: (exit: MachineExit) => void;
  ended = false;
  readonly #behaviour: GuestBehaviour;
  readonly #channel: Channel;
  #far: Duplex;
  #version = PROTOCOL_VERSION;
  #containers: Record<string, string[]> = {};
  readonly #outputs = new Map<string, OutgoingStream>();

  constructor(config: MachineConfig, behaviour: GuestBehaviour) {
    this.config = config;
    this.#behaviour = behaviour;
    const { promise, resolve } = Promise.withResolvers<MachineExit>();
    this.exit = promise;
    this.end = (exit) => {
      this.ended = true;
      resolve(exit);
    };
    const [host, far] = duplexPair();
    this.agent = host;
    this.#far = far;
    this.#channel = new Channel({
      onMessage: (value) => this.#take(fromHost.parse(value)),
      onSynchronised: () => this.#hello(),
      onOutput: () => this.#flush(),
    });
    far.on("data", (piece: Uint8Array) => this.#channel.receive(piece));
  }

  /** Another client is at the agent's port. */
  reconnect(): void {
    const [host, far] = duplexPair();
    this.#far.destroy();
    this.#channel.lost();
    this.agent = host;
    this.#far = far;
    this.#version = this.#behaviour.laterVersion ?? PROTOCOL_VERSION;
    far.on("data", (piece: Uint8Array) => this.#channel.receive(piece));
  }

  consoleTail(): string {
    return "last words";
  }

  async pause(): Promise<void> {}
  async resume(): Promise<void> {}

  async kill(): Promise<void> {
    this.#far.destroy();
    this.end({ reason: "killed", signal: "SIGKILL" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #hello(): void {
    if (this.#behaviour.silent) return;
    const containers = this.#containers;
    const hello = { kernel: "6.1.0", memoryBytes: 1, uptime: 1000, containers };
    this.#channel.send({ type: "hello", version: this.#version, ...hello });
  }

  #flush(): void {
    for (let bytes = this.#channel.nextOutput(); bytes; bytes = this.#channel.nextOutput()) {
      this.#far.write(bytes);
    }
  }

  #take({ id, request }: FromHost): void {
    const { refuse, vanishOn } = this.#behaviour;
    this.requests.push(request);
    if (vanishOn === request.type) {
      this.#far.destroy();
      this.end({ reason: "panic", message: "Attempted to kill init" });
    } else if (refuse?.type === request.type) {
      const { code, exitCode } = refuse;
      this.#channel.send({ type: "failure", id, error: { code, message: `no ${code}`, exitCode } });
    } else {
      this.#channel.send({ type: "reply", id, pid: 1 });
      this.#obey(request);
    }
  }

  #obey(request: Request): void {
    if (request.type === "container.start") {
      this.#containers[request.container] = ["init"];
      this.#startProcess(request);
    }
    if (request.type === "process.signal") this.#exit(request.container, 128 + request.signal);
    if (request.type === "machine.shutdown") this.end({ reason: "poweroff" });
  }

  #startProcess({ container, process }: Extract<Request, { type: "container.start" }>): void {
    const { stdin, stdout, stderr } = process.stdio;
    const { out = "", err = "", code = 0, cat, untilSignalled } = this.#behaviour;
    if (stdout !== undefined) {
      const stream = this.#channel.openOutgoing(stdout);
      this.#outputs.set(container, stream);
      stream.write(Buffer.from(out));
    }
    if (stderr !== undefined) {
      const stream = this.#channel.openOutgoing(stderr);
      stream.write(Buffer.from(err));
      stream.end();
    }
    if (stdin !== undefined && cat) this.#echo(stdin, container);
    else if (!untilSignalled) this.#exit(container, code);
  }

  #echo(stdin: number, container: string): void {
    const stream = this.#channel.openIncoming(stdin, {
      onData: (bytes) => {
        this.#outputs.get(container)?.write(Buffer.from(bytes));
        stream.consume(bytes.length);
      },
      onEnd: () => this.#exit(container, 0),
    });
  }

  #exit(container: string, code: number): void {
    delete this.#containers[container];
    this.#outputs.get(container)?.end();
    const exit = { container, process: "init", code, oomKilled: false };
    this.#channel.send({ type: "process.exit", ...exit });
  }
}
