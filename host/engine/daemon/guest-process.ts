/** A process in the guest as the daemon sees it: its streams, and how it ends. */

import type { IncomingStream, Stdio } from "#protocol";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { GuestWritable } from "../../agent/guest-stream.ts";
import type { ContainerExit } from "../container-exit.ts";
import type { ProcessStreams } from "./client-attachment.ts";
import type { ContainerLog, OutputName } from "./container-log.ts";
import { OutputHub, type OutputLog } from "./output-hub.ts";

/** Which streams a process has. */
export interface StreamWish {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export class GuestProcess {
  /** settles when the process has ended and its output is here; never rejects */
  readonly ended: Promise<ContainerExit>;
  readonly #settle: (exit: ContainerExit) => void;
  readonly #hubs: Readonly<Record<OutputName, OutputHub>>;
  #stdin: GuestWritable | undefined;
  #stdio: Stdio = {};
  #exit: ContainerExit | undefined;

  constructor(log?: ContainerLog) {
    this.#hubs = {
      stdout: new OutputHub(logOf(log, "stdout")),
      stderr: new OutputHub(logOf(log, "stderr")),
    };
    const { promise, resolve } = Promise.withResolvers<ContainerExit>();
    this.ended = promise;
    this.#settle = resolve;
  }

  /** Opens the streams of a process that is about to start. */
  open(agent: AgentClient, wish: StreamWish): Stdio {
    const open = (name: OutputName): IncomingStream =>
      this.#hubs[name].bind(agent.openIncoming(this.#hubs[name]));
    const stdout = wish.stdout ? open("stdout") : undefined;
    const stderr = wish.stderr ? open("stderr") : undefined;
    if (wish.stdin) this.#takeInput(agent.openWritable());
    this.#stdio = {
      ...(stdout ? { stdout: stdout.id } : {}),
      ...(stderr ? { stderr: stderr.id } : {}),
      ...(this.#stdin ? { stdin: this.#stdin.id } : {}),
    };
    this.#endMissing();
    return this.#stdio;
  }

  /** Goes on with the streams of an earlier daemon. @param offsets how far each is logged, in `bytes` */
  reopen(agent: AgentClient, stdio: Stdio, offsets: Readonly<Record<OutputName, number>>): void {
    for (const name of ["stdout", "stderr"] as const) {
      const id = stdio[name];
      if (id === undefined) continue;
      this.#hubs[name].bind(agent.reopenIncoming({ id, offset: offsets[name] }, this.#hubs[name]));
    }
    if (stdio.stdin !== undefined) this.#takeInput(agent.reopenWritable(stdio.stdin));
    this.#stdio = stdio;
    this.#endMissing();
  }

  /** Goes on with a process of which nobody reads the output any more. */
  discard(agent: AgentClient, stdio: Stdio): void {
    for (const id of [stdio.stdout, stdio.stderr]) if (id !== undefined) agent.discardIncoming(id);
    if (stdio.stdin !== undefined) this.#takeInput(agent.reopenWritable(stdio.stdin));
    for (const hub of Object.values(this.#hubs)) hub.abandon();
  }

  /** Told by the guest, maybe more than once. */
  exited(exit: ContainerExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    for (const hub of Object.values(this.#hubs)) hub.release();
    void this.#outputEnded().then(() => this.#settle(exit));
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** The machine is gone; an end that was told before counts. */
  lost(exit: ContainerExit): void {
    const end = this.#exit ?? exit;
    this.#exit = end;
    for (const hub of Object.values(this.#hubs)) hub.abandon();
    this.#stdin?.destroy();
    this.#settle(end);
  }

  /** What a client joins. */
  streams(closesInput: boolean): ProcessStreams {
    return {
      stdin: this.#stdin?.destroyed ? undefined : this.#stdin,
      addReader: (name, target) => this.#hubs[name].add(target),
      outputEnded: this.#outputEnded(),
      closesInput,
    };
  }

  hub(name: OutputName): OutputHub {
    return this.#hubs[name];
  }

  closeInput(): void {
    this.#stdin?.end();
  }

  #takeInput(stdin: GuestWritable): void {
    // a process that takes no more input is no error
    stdin.on("error", () => {});
    this.#stdin = stdin;
  }

  /** A stream that the process does not have is over. */
  #endMissing(): void {
    for (const name of ["stdout", "stderr"] as const) {
      if (this.#stdio[name] === undefined) this.#hubs[name].abandon();
    }
  }

  async #outputEnded(): Promise<void> {
    await Promise.all(Object.values(this.#hubs).map(({ ended }) => ended));
  }
}

function logOf(log: ContainerLog | undefined, name: OutputName): OutputLog | undefined {
  if (log === undefined) return undefined;
  return { append: (bytes) => log.append(name, bytes), finish: () => log.finish(name) };
}
