/** A container that runs: its machine, its first process and the streams of it. */

import type { Readable, Writable } from "node:stream";
import type { ContainerSpec, ProcessSpec, Stdio, TerminalSize } from "#protocol";
import type { AttachedStreams } from "./attachment.ts";
import { pumpInput, pumpOutput } from "./attachment.ts";
import { explainLoss, type GuestDeadlines, type OpenedMachine } from "./boot-machine.ts";
import { withDeadline } from "./deadline.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import { engineError } from "./errors.ts";

/** How a container ended. */
export interface ContainerExit {
  /** exit status, or 128 plus the signal's number; 125 and above without a status of the process's own */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** why it ended without a status of its own */
  readonly error?: string;
}

export interface LiveContainerOptions {
  readonly container: string;
  readonly booted: OpenedMachine;
  readonly spec: ContainerSpec;
  /** the first process, given the numbers of its streams */
  readonly process: (stdio: Stdio) => ProcessSpec;
  readonly attached: readonly AttachedStreams[];
  readonly openStdin: boolean;
  readonly terminal: boolean;
  readonly deadlines: GuestDeadlines;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** Name of a container's first process in the protocol. */
const INIT = "init";

/** The client's signal for a process whose machine was killed: 128 + SIGKILL. */
const KILLED = 137;
/** Docker's status for a failure of the engine. */
const FAILED = 125;

export class LiveContainer {
  readonly #options: LiveContainerOptions;
  /** settles when the process has ended and its output is delivered; never rejects */
  readonly exit: Promise<ContainerExit>;
  readonly #settle: (exit: ContainerExit) => void;
  #outputs: Promise<unknown> = Promise.resolve();
  #status: ContainerExit | undefined;
  #killed = false;
  #firstOutput = false;

  constructor(options: LiveContainerOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<ContainerExit>();
    this.exit = promise;
    this.#settle = resolve;
  }

  /** Makes the container in the guest and starts its process. @throws DvmError the guest's refusal */
  async start(): Promise<void> {
    const { container, booted, spec, onEvent } = this.#options;
    this.#watch();
    // The agent takes requests in their order: the next one is there when one is done.
    const creation = this.#ask("making the container", {
      type: "container.create",
      container,
      spec,
    });
    const process = this.#connect();
    const start = this.#ask("starting the process", {
      type: "container.start",
      container,
      process,
    });
    // without the step before none can be done: the first failure is the one to tell of
    creation.catch(() => {});
    start.catch(() => {});
    await booted.ready;
    try {
      await inPhase(onEvent, { container, phase: "container-create" }, () => creation);
      await inPhase(onEvent, { container, phase: "process-start" }, () => start);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      throw await explainLoss(booted.machine, error);
    }
  }

  /** Sends a signal to the first process. */
  async signal(number: number): Promise<void> {
    await this.#request({ type: "process.signal", signal: number });
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.#request({ type: "process.resize", size });
  }

  /** Ends the machine at once; `exit` says that the process was killed. */
  async kill(): Promise<void> {
    this.#killed = true;
    await this.#options.booted.machine.kill();
  }

  /** Lets the guest write back and unmount its disks, so that they can be used again. */
  async shutDown(): Promise<void> {
    const { booted, deadlines } = this.#options;
    const options = { what: "shutting down", milliseconds: deadlines.shutdown };
    await withDeadline(booted.agent.request({ type: "machine.shutdown" }), options);
    await withDeadline(booted.machine.exit, options);
  }

  #watch(): void {
    const { agent, machine } = this.#options.booted;
    const { container, onEvent } = this.#options;
    agent.on("process.exit", (exit) => {
      if (exit.container !== container || exit.process !== INIT) return;
      this.#status = { exitCode: exit.code, oomKilled: exit.oomKilled };
      const status = this.#status;
      void this.#outputs.then(() => this.#settle(status));
    });
    agent.on("container.oom", () =>
      onEvent({ type: "container", container, name: "", action: "oom" }),
    );
    agent.once("closed", (error) => void this.#lost(error));
    void machine.exit.then(() => this.#lost(undefined));
  }

  /** The machine is gone: a process whose end was told before keeps its status. */
  async #lost(error: Error | undefined): Promise<void> {
    const { machine } = this.#options.booted;
    if (this.#status !== undefined) return this.#settle(this.#status);
    if (this.#killed) return this.#settle({ exitCode: KILLED, oomKilled: false });
    const cause = error ?? engineError("MACHINE_LOST", "the virtual machine ended");
    const explained = await explainLoss(machine, cause);
    const exit = await Promise.race([machine.exit, undefined]);
    this.#settle({
      exitCode: exit?.reason === "killed" ? KILLED : FAILED,
      oomKilled: false,
      error: explained instanceof Error ? explained.message : String(explained),
    });
  }

  /** Opens the process's streams and joins them to whoever is attached. */
  #connect(): ProcessSpec {
    const { booted, attached, openStdin, terminal } = this.#options;
    const stdout = booted.agent.openReadable();
    const stderr = terminal ? undefined : booted.agent.openReadable();
    const stdin = openStdin ? booted.agent.openWritable() : undefined;
    this.#outputs = Promise.all([
      this.#pump(
        stdout,
        attached.map((each) => each.stdout),
      ),
      ...(stderr
        ? [
            this.#pump(
              stderr,
              attached.map((each) => each.stderr),
            ),
          ]
        : []),
    ]);
    const sources = attached.flatMap((each) => each.stdin ?? []);
    const [source] = sources;
    if (stdin !== undefined && source !== undefined) pumpInput(source, stdin);
    return this.#options.process({
      stdout: stdout.id,
      ...(stderr ? { stderr: stderr.id } : {}),
      ...(stdin ? { stdin: stdin.id } : {}),
    });
  }

  #pump(source: Readable, sinks: readonly (Writable | undefined)[]): Promise<void> {
    const { container, onEvent } = this.#options;
    const started = performance.now();
    const present = sinks.filter((sink) => sink !== undefined);
    return pumpOutput(source, present, () => {
      if (this.#firstOutput) return;
      this.#firstOutput = true;
      const milliseconds = performance.now() - started;
      onEvent({ type: "phase-end", container, phase: "first-output", milliseconds });
    });
  }

  async #request(
    request:
      | { readonly type: "process.signal"; readonly signal: number }
      | { readonly type: "process.resize"; readonly size: TerminalSize },
  ): Promise<void> {
    const { container, booted } = this.#options;
    await booted.agent.request({ ...request, container, process: INIT });
  }

  async #ask(
    what: string,
    request:
      | {
          readonly type: "container.create";
          readonly container: string;
          readonly spec: ContainerSpec;
        }
      | {
          readonly type: "container.start";
          readonly container: string;
          readonly process: ProcessSpec;
        },
  ): Promise<void> {
    const { booted, deadlines, signal } = this.#options;
    const milliseconds = deadlines.container;
    await withDeadline(booted.agent.request(request), { what, milliseconds, signal });
  }
}
