/** The further processes of a running container. */

import { randomBytes } from "node:crypto";
import type { ProcessSpec, Stdio, TerminalSize } from "#protocol";
import type { AgentClient } from "../../agent/agent-client.ts";
import { DvmError } from "../../errors.ts";
import type { ContainerExit } from "../container-exit.ts";
import { withDeadline } from "../deadline.ts";
import { engineError } from "../errors.ts";
import { ClientAttachment, type ClientStreams } from "./client-attachment.ts";
import { GuestProcess } from "./guest-process.ts";
import type { ExecConfig, ExecView } from "./model.ts";
import type { ExecState } from "./run-state.ts";

/** Ended execs that are remembered for whoever asks how they ended. */
const KEPT_ENDED = 64;
/** Those that nobody has started; each keeps its whole configuration in our memory. */
const MAX_CREATED = 256;

interface Exec {
  state: ExecState;
  readonly process: GuestProcess;
}

export interface ExecsOptions {
  readonly container: string;
  /** @throws when there is no guest */
  readonly agent: () => AgentClient;
  readonly processSpec: (stdio: Stdio, config: ExecConfig) => ProcessSpec;
  /** for the start of a process, in `milliseconds` */
  readonly deadline: number;
  /** what is to be known after a restart of the daemon */
  readonly onChange: (execs: readonly ExecState[]) => void;
}

export class Execs {
  readonly #options: ExecsOptions;
  readonly #execs = new Map<string, Exec>();

  constructor(options: ExecsOptions) {
    this.#options = options;
  }

  /** @throws DvmError `WRONG_STATE` when too many were made and not started */
  create(config: ExecConfig): string {
    const waiting = [...this.#execs.values()].filter(({ state }) => state.status === "created");
    if (waiting.length >= MAX_CREATED) {
      throw engineError("WRONG_STATE", `${MAX_CREATED} exec commands wait for their start already`);
    }
    const id = randomBytes(32).toString("hex");
    this.#execs.set(id, {
      state: { id, config, stdio: {}, status: "created" },
      process: new GuestProcess(),
    });
    return id;
  }

  ids(): string[] {
    return [...this.#execs.keys()];
  }

  view(id: string): ExecView | undefined {
    const exec = this.#execs.get(id);
    if (exec === undefined) return undefined;
    const { stdio: _, ...state } = exec.state;
    return { ...state, container: this.#options.container };
  }

  forget(id: string): void {
    this.#execs.delete(id);
  }

  /** Settles when it has ended and its output was handed over. */
  ended(id: string): Promise<ContainerExit> {
    return this.#get(id).process.ended;
  }

  /**
   * Starts it, with a client at its streams or none.
   *
   * @throws DvmError the guest's refusal, such as of a command that is not there
   */
  async start(id: string, { streams, terminalSize }: StartExecOptions): Promise<ClientAttachment> {
    const exec = this.#get(id);
    if (exec.state.status !== "created") {
      throw engineError("WRONG_STATE", `exec command ${id} was started before`);
    }
    const config = { ...exec.state.config, ...(terminalSize ? { terminalSize } : {}) };
    const { container, deadline } = this.#options;
    const agent = this.#options.agent();
    const { terminal, attach } = config;
    const attached = streams !== undefined;
    const stdio = exec.process.open(agent, {
      stdin: attached && attach.stdin,
      // somebody has to read a terminal, or who writes to it waits for ever
      stdout: terminal || (attached && attach.stdout),
      stderr: !terminal && attached && attach.stderr,
    });
    this.#set(exec, { ...exec.state, config, stdio, status: "running" });
    // joined first: what a short process says comes with the answer
    const attachment = new ClientAttachment(streams ?? {});
    // a client asks for the exit code as soon as its streams have ended
    const outputEnded = exec.process.ended.then(() => {});
    attachment.join({ ...exec.process.streams(true), outputEnded });
    try {
      const spec = this.#options.processSpec(stdio, config);
      const request = agent.request({ type: "container.exec", container, process: id, spec });
      const { pid } = await withDeadline(request, {
        what: "starting the process",
        milliseconds: deadline,
      });
      // it may have ended by now
      const { state } = this.#get(id);
      if (pid !== undefined) this.#set(exec, { ...state, pid });
    } catch (error) {
      const exitCode = error instanceof DvmError ? error.exitCode : 126;
      this.exited(id, { exitCode, oomKilled: false });
      // Docker has begun to stream by then and says it there
      const reader = streams?.stdout ?? streams?.stderr;
      reader?.write(`${(error as Error).message}\r\n`);
      exec.process.lost({ exitCode, oomKilled: false });
      if (reader === undefined) throw error;
    }
    return attachment;
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    const { container, agent } = this.#options;
    await agent().request({ type: "process.resize", container, process: id, size });
  }

  async signal(id: string, signal: number): Promise<void> {
    const { container, agent } = this.#options;
    await agent().request({ type: "process.signal", container, process: id, signal });
  }

  /** Told by the guest, maybe more than once. */
  exited(id: string, exit: ContainerExit): void {
    const exec = this.#execs.get(id);
    if (exec === undefined || exec.state.status === "exited") return;
    exec.process.exited(exit);
    this.#set(exec, { ...exec.state, status: "exited", exitCode: exit.exitCode });
    this.#forgetOldest();
  }

  /** The machine is gone. */
  lost(exit: ContainerExit): void {
    for (const exec of this.#execs.values()) {
      if (exec.state.status === "running") {
        exec.state = { ...exec.state, status: "exited", exitCode: exit.exitCode };
      }
      exec.process.lost(exit);
    }
  }

  /** Those of an earlier daemon: their clients are gone with it. */
  reopen(agent: AgentClient, states: readonly ExecState[]): void {
    for (const state of states) {
      const process = new GuestProcess();
      if (state.status === "running") process.discard(agent, state.stdio);
      this.#execs.set(state.id, { state, process });
    }
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec === undefined) throw engineError("NO_SUCH_EXEC", `no such exec instance: ${id}`);
    return exec;
  }

  #set(exec: Exec, state: ExecState): void {
    exec.state = state;
    this.#options.onChange([...this.#execs.values()].map((each) => each.state));
  }

  #forgetOldest(): void {
    const ended = [...this.#execs.values()].filter(({ state }) => state.status === "exited");
    for (const { state } of ended.slice(0, -KEPT_ENDED)) this.#execs.delete(state.id);
  }
}

export interface StartExecOptions {
  readonly streams?: ClientStreams;
  readonly terminalSize?: TerminalSize;
}
