/** The calls of `DaemonEngine` that the engine of a single client has too, put into the daemon's terms. */

import { EventEmitter, once } from "node:events";
import { release } from "node:os";
import { Writable } from "node:stream";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/engine-event.ts";
import { engineError } from "../../engine/errors.ts";
import { apiError } from "../docker/errors.ts";
import { signalNumber } from "../docker/signal-number.ts";
import { mayTouch } from "./api-call.ts";
import type { ClientStreams, ContainerCalls, DaemonEngine, StopOptions } from "./daemon-engine.ts";
import type { Caller, ContainerEnd, ContainerView, DaemonContainerConfig } from "./daemon-model.ts";

/** Between the stop signal and the end of the machine unless told otherwise, in `seconds`. */
const STOP_TIMEOUT = 10;
const SIGTERM = 15;
/** Docker's status for a container that never came to run. */
const FAILED = 125;

export interface HostedEngineOptions {
  /** Makes the engine, which tells its events. */
  readonly open: (onEvent: (event: EngineEvent) => void) => Engine;
  /** version of dvm */
  readonly version: string;
  readonly dataRoot: string;
  readonly onEvent: (event: EngineEvent) => void;
}

export class HostedEngine implements Partial<DaemonEngine>, AsyncDisposable {
  readonly #options: HostedEngineOptions;
  readonly #engine: Engine;
  /** exit codes of containers that have ended, by id, until they are removed */
  readonly #exits = new Map<string, number>();
  /** `ID` with the exit code when the container is gone */
  readonly #removed = new EventEmitter().setMaxListeners(0);

  constructor(options: HostedEngineOptions) {
    this.#options = options;
    this.#engine = options.open((event) => {
      if (event.type === "container") this.#note(event);
      options.onEvent(event);
    });
  }

  async list(): Promise<readonly ContainerView[]> {
    return this.#engine.list();
  }

  async find(reference: string): Promise<ContainerView> {
    return this.#engine.inspect(reference);
  }

  async create(
    config: DaemonContainerConfig,
    caller: Caller,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly name: string }> {
    if (!mayTouch(caller, undefined)) {
      throw apiError("FORBIDDEN", `uid ${caller.uid} may not make containers of this daemon`);
    }
    refuseUnkept(config);
    return this.#engine.create(config, { signal });
  }

  async start(id: string): Promise<boolean> {
    const { state, config } = this.#engine.inspect(id);
    if (state.status === "running") return false;
    const { terminalSize }: DaemonContainerConfig = config;
    await this.#engine.start(id, terminalSize === undefined ? {} : { terminal: terminalSize });
    return true;
  }

  async attach(
    id: string,
    _caller: Caller,
    { streams }: Parameters<ContainerCalls["attach"]>[2],
  ): ReturnType<ContainerCalls["attach"]> {
    if (this.#engine.inspect(id).state.status !== "created") {
      throw apiError("UNSUPPORTED", "attaching to a container that was started is not supported");
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#engine.attach(id, {
      ...streams,
      ...(streams.stdout === undefined ? {} : { stdout: unbreakable(streams.stdout) }),
      ...(streams.stderr === undefined ? {} : { stderr: unbreakable(streams.stderr) }),
    });
    this.#engine.wait(id).then(() => resolve(), resolve);
    this.#removed.once(id, resolve);
    return { done: promise, detach: () => leave(streams, resolve) };
  }

  async wait(
    id: string,
    _caller: Caller,
    { condition, signal, onWaiting }: Parameters<ContainerCalls["wait"]>[2],
  ): ReturnType<ContainerCalls["wait"]> {
    const { status, exitCode = 0, oomKilled } = this.#engine.inspect(id).state;
    if (condition === "not-running" && status !== "running") return { exitCode, oomKilled };
    const removed: Promise<ContainerEnd> = once(this.#removed, id, { signal }).then(
      ([code]: number[]) => ({ exitCode: code ?? FAILED, oomKilled: false }),
    );
    onWaiting();
    if (condition === "removed") return removed;
    // a container that could not start ends by being removed alone
    return Promise.race([this.#engine.wait(id), removed]);
  }

  async kill(id: string, _caller: Caller, signal: number): Promise<void> {
    await this.#engine.kill(id, signal);
  }

  async stop(id: string, _caller: Caller, options: StopOptions): Promise<boolean> {
    const { state, config, image } = this.#engine.inspect(id);
    if (state.status !== "running") return false;
    const own = config.stopSignal ?? image.run.stopSignal;
    const signal = options.signal ?? (own === undefined ? SIGTERM : signalNumber(own));
    const timeout = options.timeout ?? config.stopTimeout ?? image.run.stopTimeout ?? STOP_TIMEOUT;
    const ended = this.#engine.wait(id);
    await this.#engine.kill(id, signal);
    const timer =
      timeout < 0 ? undefined : setTimeout(() => void this.#destroy(id), timeout * 1000);
    await ended;
    clearTimeout(timer);
    return true;
  }

  async resize(id: string, _caller: Caller, size: { rows: number; columns: number }) {
    await this.#engine.resize(id, size);
  }

  async remove(id: string, _caller: Caller, { force }: { readonly force: boolean }): Promise<void> {
    await this.#engine.remove(id, { force });
  }

  async version() {
    return { version: this.#options.version, kernel: release(), components: [] };
  }

  async info() {
    const { dataRoot } = this.#options;
    return { ...(await this.version()), id: "", dataRoot, images: 0, warnings: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
  }

  #note({ container, action, exitCode }: Extract<EngineEvent, { type: "container" }>): void {
    if (action === "die" && exitCode !== undefined) this.#exits.set(container, exitCode);
    if (action !== "destroy") return;
    this.#removed.emit(container, this.#exits.get(container));
    this.#exits.delete(container);
  }

  /** It may have ended by itself in the meantime. */
  async #destroy(id: string): Promise<void> {
    await this.#engine.destroy(id).catch(() => {});
  }
}

/** What the engine would leave out without a word. */
function refuseUnkept({ restartPolicy, healthcheck }: DaemonContainerConfig): void {
  if ((restartPolicy?.name ?? "no") !== "no") {
    throw engineError("NOT_SUPPORTED", "restart policies are not supported yet");
  }
  if (healthcheck !== undefined && healthcheck.test[0] !== "NONE") {
    throw engineError("NOT_SUPPORTED", "health checks are not supported yet");
  }
}

/** A sink that goes on taking when its client has gone, so that the process does not notice. */
function unbreakable(target: Writable): Writable {
  return new Writable({
    write(bytes, _encoding, callback) {
      if (target.destroyed) return callback();
      const done = () => {
        target.off("close", done);
        callback();
      };
      target.once("close", done);
      target.write(bytes, done);
    },
  });
}

function leave(streams: ClientStreams, resolve: () => void): void {
  streams.stdout?.destroy();
  streams.stderr?.destroy();
  resolve();
}
