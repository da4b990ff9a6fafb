/** The client's side of a running container: its signals, its terminal, its progress display. */

import { getSystemErrorMessage } from "node:util";
import type { RemoteEngine } from "../../api/client/remote-engine.ts";
import type { EngineEvent } from "../../api/engine-api.ts";
import { DvmError } from "../../errors.ts";
import type { CliContext } from "../command.ts";
import type { ProgressRenderer } from "../render/progress.ts";
import { ENDED_BY_FORCE, OUTPUT_FAILED, OUTPUT_UNREAD, outputFailure } from "../render/run-end.ts";
import { enterRawMode } from "./raw-mode.ts";
import { type SignalWatch, watchSignals } from "./signal-watch.ts";

export interface ContainerSessionOptions {
  readonly context: CliContext;
  readonly progress: ProgressRenderer;
  /** --sig-proxy */
  readonly proxySignals: boolean;
  /** whether the container has the client's terminal as its input */
  readonly terminal: boolean;
}

/** Size of a terminal, in characters. */
interface Size {
  readonly rows: number;
  readonly columns: number;
}

export class ContainerSession implements Disposable {
  /** Set once the engine is open. */
  engine: RemoteEngine | undefined;
  /** Set once the container has an id. */
  container = "";
  /** exit code when the client ended the container by force */
  givenUp: number | undefined;
  readonly #options: ContainerSessionOptions;
  readonly #abort = new AbortController();
  readonly #watch: SignalWatch;
  readonly #undo = new DisposableStack();
  #raw: Disposable | undefined;
  #isRunning = false;
  #outputError: NodeJS.ErrnoException | undefined;

  constructor(options: ContainerSessionOptions) {
    this.#options = options;
    this.#watch = this.#undo.use(
      watchSignals({
        interrupt: (exitCode) =>
          this.#abort.abort(new DvmError("INTERRUPTED", "interrupted", { exitCode })),
        force: (exitCode) => this.#end(exitCode),
        forward: (signal) => this.#forward(signal),
        giveUp: (exitCode) => this.#giveUp(exitCode),
      }),
    );
    this.#watchOutput();
  }

  /** A process may have written, and its reader have gone, before it is known here that it runs. */
  #watchOutput(): void {
    const { stdout } = this.#options.context;
    const onError = (error: NodeJS.ErrnoException) => {
      this.#outputError ??= error;
      if (this.#isRunning) this.#outputLost(error);
    };
    stdout.on("error", onError);
    this.#undo.defer(() => stdout.off("error", onError));
  }

  /** Aborted when the user interrupts the start. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Size of the terminal that shows the output. */
  get size(): Size | undefined {
    const { rows, columns } = this.#options.context.stdout;
    return rows === undefined || columns === undefined ? undefined : { rows, columns };
  }

  onEvent(event: EngineEvent): void {
    // from here on keys are the process's: what is typed while it starts is not echoed twice
    if (event.type === "phase-begin" && event.phase === "process-start") {
      this.#options.progress.clear();
      this.#enterRawMode();
    }
    this.#options.progress.onEvent(event);
    // its output may come before the answer to the start
    if (event.type === "phase-end" && event.phase === "first-output") this.running();
  }

  /** The process runs: signals and changes of the terminal's size are its own. */
  running(): void {
    if (this.#isRunning) return;
    const { proxySignals: proxy, terminal: onTerminal } = this.#options;
    this.#watch.containerRuns({ proxy, onTerminal });
    const { stdout } = this.#options.context;
    this.#isRunning = true;
    if (this.#outputError !== undefined) this.#outputLost(this.#outputError);
    if (!this.#options.terminal && this.size === undefined) return;
    const resize = () => this.#resize();
    stdout.on("resize", resize);
    this.#undo.defer(() => stdout.off("resize", resize));
    // the size may have changed while the machine booted
    resize();
  }

  /** The process has ended, or never came to run. */
  ended(): void {
    this.#watch.containerEnded();
    this.#leaveRawMode();
  }

  [Symbol.dispose](): void {
    this.#leaveRawMode();
    this.#undo.dispose();
  }

  #enterRawMode(): void {
    if (!this.#options.terminal) return;
    this.#raw = enterRawMode(this.#options.context.stdin);
    this.#options.progress.setRaw(true);
  }

  #leaveRawMode(): void {
    this.#raw?.[Symbol.dispose]();
    this.#raw = undefined;
    this.#options.progress.setRaw(false);
  }

  /** A process that has just ended gets no signal, and no size: that is no error. */
  #forward(signal: number): void {
    this.engine?.kill(this.container, signal).catch(() => {});
  }

  #resize(): void {
    const { size } = this;
    if (size !== undefined) this.engine?.resize(this.container, size).catch(() => {});
  }

  /**
   * Nobody reads the container's output any more. Docker's client dies of SIGPIPE then and its daemon carries on;
   * here the container is the client's own, and ends with it.
   */
  #outputLost(error: NodeJS.ErrnoException): void {
    if (this.givenUp !== undefined) return;
    this.givenUp = OUTPUT_UNREAD;
    const { code, errno } = error;
    if (code !== undefined && code !== "EPIPE" && errno !== undefined) {
      this.givenUp = OUTPUT_FAILED;
      this.#leaveRawMode();
      this.#options.context.stderr.write(outputFailure(getSystemErrorMessage(errno)));
    }
    this.engine?.destroy(this.container).catch(() => {});
  }

  #giveUp(exitCode: number): void {
    if (this.givenUp !== undefined) this.#end(exitCode);
    this.givenUp = exitCode;
    this.#leaveRawMode();
    this.#options.context.stderr.write(ENDED_BY_FORCE);
    this.engine?.destroy(this.container).catch(() => {});
  }

  /** Ends this process now. What was asked of the daemon it does all the same. */
  #end(exitCode: number): void {
    this.#leaveRawMode();
    process.exit(exitCode);
  }
}
