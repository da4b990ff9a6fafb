/** A container's process while it runs: its streams, and what is still owed to the host about it. */

import type { ExitedProcess } from "../container/container.ts";
import type { StartedProcess } from "../container/start-process.ts";
import type { Channel, OutgoingStream, Stdio } from "../protocol/index.ts";
import type { Fd, Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop } from "./event-loop.ts";
import { InputPump } from "./input-pump.ts";
import { OutputPump } from "./output-pump.ts";

/** Streams of a process that is about to start; they are claimed first, so that a bad number starts nothing. */
export interface ClaimedStreams {
  readonly stdin: number | undefined;
  readonly stdout: OutgoingStream | undefined;
  readonly stderr: OutgoingStream | undefined;
}

/** @throws ProtocolError for a number that is in use */
export function claimStreams(channel: Channel, stdio: Stdio): ClaimedStreams {
  const opened: number[] = [];
  const open = (id: number | undefined): OutgoingStream | undefined => {
    if (id === undefined) return undefined;
    const stream = channel.openOutgoing(id);
    opened.push(id);
    return stream;
  };
  try {
    return { stdin: stdio.stdin, stdout: open(stdio.stdout), stderr: open(stdio.stderr) };
  } catch (error) {
    for (const id of opened) channel.dropOutgoing(id);
    throw error;
  }
}

/** The process never came to be: nothing will come out of its streams. */
export function abandonStreams(channel: Channel, streams: ClaimedStreams): void {
  for (const stream of [streams.stdout, streams.stderr]) {
    if (stream !== undefined) channel.dropOutgoing(stream.id);
  }
  if (streams.stdin !== undefined) channel.resetIncoming(streams.stdin);
}

export class RunningProcess {
  readonly pid: number;
  readonly #sys: Syscalls;
  readonly #channel: Channel;
  readonly #streams: ClaimedStreams;
  readonly #outputs = new Set<OutputPump>();
  readonly #open = new Set<Fd>();
  readonly #onDone: (exited: ExitedProcess) => void;
  #input: InputPump | undefined;
  #exited: ExitedProcess | undefined;

  constructor(options: {
    readonly sys: Syscalls;
    readonly loop: EventLoop;
    readonly channel: Channel;
    readonly started: StartedProcess;
    readonly streams: ClaimedStreams;
    /** it has ended and the last byte of its output is in its stream */
    readonly onDone: (exited: ExitedProcess) => void;
  }) {
    const { sys, loop, channel, started, streams } = options;
    this.pid = started.pid;
    this.#sys = sys;
    this.#channel = channel;
    this.#streams = streams;
    this.#onDone = options.onDone;
    for (const fd of [started.stdin, started.stdout, started.stderr, started.terminal]) {
      if (fd !== undefined) this.#open.add(fd);
    }
    this.#pumpInput(loop, started);
    this.#pumpOutput(loop, started.terminal ?? started.stdout, streams.stdout);
    this.#pumpOutput(loop, started.stderr, streams.stderr);
  }

  /** The process has ended; `onDone` follows when its output is in the streams. */
  exited(exited: ExitedProcess): void {
    this.#exited = exited;
    this.#stopInput();
    for (const output of [...this.#outputs]) output.drain();
    this.#finish();
  }

  /** The process never came to be. */
  abandon(): void {
    abandonStreams(this.#channel, this.#streams);
    this.#input?.stop();
    // With their streams dropped the pumps read to the end, which the dead child has made.
    for (const output of [...this.#outputs]) output.drain();
    this.#closeAll();
  }

  /** The host has come back: asks it to send the input on from where it stands. */
  resume(): void {
    this.#input?.resume(this.#channel);
  }

  #pumpInput(loop: EventLoop, { stdin, terminal }: StartedProcess): void {
    const fd = stdin ?? terminal;
    if (fd === undefined || this.#streams.stdin === undefined) return;
    this.#input = new InputPump({
      sys: this.#sys,
      loop,
      fd,
      // A terminal has no end of input: whoever types sends the character for it.
      onEnd: () => {
        if (stdin !== undefined) this.#close(stdin);
      },
    });
    this.#input.attach(this.#channel.openIncoming(this.#streams.stdin, this.#input));
  }

  #pumpOutput(loop: EventLoop, fd: Fd | undefined, stream: OutgoingStream | undefined): void {
    if (stream === undefined) return;
    if (fd === undefined) {
      // Asked for beside a terminal, which carries all output.
      stream.end();
      return;
    }
    const pump = new OutputPump({
      sys: this.#sys,
      loop,
      fd,
      stream,
      onEnd: () => {
        this.#outputs.delete(pump);
        this.#finish();
      },
    });
    this.#outputs.add(pump);
  }

  #stopInput(): void {
    this.#input?.stop();
    if (this.#streams.stdin !== undefined) this.#channel.resetIncoming(this.#streams.stdin);
  }

  #finish(): void {
    const exited = this.#exited;
    if (exited === undefined || this.#outputs.size > 0) return;
    this.#exited = undefined;
    this.#closeAll();
    this.#onDone(exited);
  }

  #closeAll(): void {
    for (const fd of [...this.#open]) this.#close(fd);
  }

  #close(fd: Fd): void {
    if (this.#open.delete(fd)) this.#sys.close(fd);
  }
}
