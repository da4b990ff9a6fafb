/** A client at the streams of a process: joined and taken off again, without harm to the process. */

import type { Readable, Writable } from "node:stream";

/**
 * A client's ends of a process's streams; what is absent is not attached. Closing or failing of one detaches it and
 * does nothing else: the process goes on. The engine ends none of them.
 */
export interface ClientStreams {
  /** read until its end, which closes the process's input if that is to close with its client */
  readonly stdin?: Readable;
  /** with a terminal it gets all output */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/** A process's ends. */
export interface ProcessStreams {
  readonly stdin: Writable | undefined;
  readonly addReader: (stream: "stdout" | "stderr", target: Writable) => () => void;
  /** settles when all output was handed to the readers */
  readonly outputEnded: Promise<void>;
  /** whether the input ends with this client's */
  readonly closesInput: boolean;
}

export class ClientAttachment {
  /** settles when the output was handed over, or after `detach`; never rejects */
  readonly done: Promise<void>;
  readonly #settle: () => void;
  readonly #streams: ClientStreams;
  readonly #undo = new DisposableStack();
  #isJoined = false;

  constructor(streams: ClientStreams) {
    this.#streams = streams;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#settle = resolve;
  }

  /** The process is there. */
  join(process: ProcessStreams): void {
    if (this.#undo.disposed) return;
    this.#isJoined = true;
    const { stdin, stdout, stderr } = this.#streams;
    if (stdout) this.#undo.defer(process.addReader("stdout", stdout));
    if (stderr) this.#undo.defer(process.addReader("stderr", stderr));
    if (stdin && process.stdin) this.#pump(stdin, process.stdin, process.closesInput);
    void process.outputEnded.then(() => this.#finish());
  }

  /** Nothing more will come: a client that is joined gets what is left, at its own pace. */
  over(): void {
    if (!this.#isJoined) this.detach();
  }

  readonly detach = (): void => {
    this.#undo.dispose();
    this.#settle();
  };

  #pump(source: Readable, target: Writable, closes: boolean): void {
    const end = () => {
      if (closes) target.end();
    };
    const stop = () => source.unpipe(target);
    target.once("close", stop);
    source.once("end", end);
    source.once("close", end);
    source.on("error", end);
    source.pipe(target, { end: false });
    this.#undo.defer(() => {
      stop();
      source.off("end", end);
      source.off("close", end);
      target.off("close", stop);
      end();
    });
  }

  async #finish(): Promise<void> {
    const { stdout, stderr } = this.#streams;
    await Promise.all([stdout, stderr].map((target) => flushed(target)));
    this.detach();
  }
}

async function flushed(target: Writable | undefined): Promise<void> {
  if (!target || target.destroyed || target.writableEnded || target.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  target.write("", () => resolve());
  target.once("close", resolve);
  await promise;
}
