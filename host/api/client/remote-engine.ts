/** An engine in a daemon, for a client that runs containers as it would in its own process. */

import type { Duplex, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { TerminalSize } from "#protocol";
import type { AttachedStreams } from "../../engine/attachment.ts";
import type { EventSink } from "../../engine/engine-event.ts";
import type { ContainerExit } from "../../engine/live-container.ts";
import { DvmError } from "../../errors.ts";
import { demultiplexer } from "../docker/stdcopy.ts";
import type { DaemonContainerConfig } from "../server/daemon-model.ts";
import type { ContainerSummary } from "./answers.ts";
import type { DaemonClient } from "./daemon-client.ts";

const SIGKILL = 9;

/** A container that this client made. */
interface Made {
  readonly config: DaemonContainerConfig;
  /** what has to be there before the start, so that nothing is missed */
  readonly prepared: Promise<unknown>[];
  /** what has to be handed over before the end is told */
  readonly delivered: Promise<unknown>[];
}

export class RemoteEngine implements AsyncDisposable {
  readonly #client: DaemonClient;
  readonly #onEvent: EventSink;
  readonly #made = new Map<string, Made>();

  constructor(client: DaemonClient, onEvent: EventSink) {
    this.#client = client;
    this.#onEvent = onEvent;
  }

  /** A process whose input is open gets its end from this client, unless the configuration says otherwise. */
  async create(
    config: DaemonContainerConfig,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly id: string }> {
    const { Id: id, Warnings: warnings } = await this.#client.create(
      { ...config, stdinOnce: config.stdinOnce ?? config.openStdin },
      options.signal,
    );
    for (const text of warnings) this.#onEvent({ type: "warning", container: id, text });
    this.#made.set(id, { config, prepared: [], delivered: [] });
    return { id };
  }

  /** Joins this process's streams to those that the container will have; the start waits for it. */
  attach(id: string, streams: AttachedStreams): void {
    const { config, prepared, delivered } = this.#madeBy(id);
    const opening = this.#client.attach(id, {
      stdin: streams.stdin !== undefined,
      stdout: streams.stdout !== undefined,
      stderr: streams.stderr !== undefined,
    });
    prepared.push(opening);
    const done = opening.then((socket) => joinStreams(socket, streams, config.terminal));
    // a failure to open is told by the start
    done.catch(() => {});
    delivered.push(done);
  }

  /** @throws DvmError from the daemon; when the signal is aborted the container is taken away or ended */
  async start(
    id: string,
    options: { readonly signal?: AbortSignal; readonly terminal?: TerminalSize } = {},
  ): Promise<void> {
    const { signal, terminal } = options;
    const { prepared, config } = this.#madeBy(id);
    await Promise.all(prepared);
    signal?.throwIfAborted();
    this.#onEvent({ type: "phase-begin", container: id, phase: "process-start" });
    const started = this.#client.start(id);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([started, aborted.promise]);
      if (terminal !== undefined && config.terminal)
        await this.resize(id, terminal).catch(() => {});
    } catch (error) {
      if (signal?.aborted) await this.#takeBack(id, started);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The end of a container; of one that this client is attached to when its output is handed over, too. */
  async wait(id: string): Promise<ContainerExit> {
    const made = this.#made.get(id);
    const condition = made?.config.autoRemove ? "removed" : made ? "next-exit" : "not-running";
    const waiting = this.#client.wait(id, condition);
    made?.prepared.push(waiting);
    const answer = await (await waiting)();
    await Promise.all(made?.delivered ?? []);
    const error = answer.Error === undefined ? {} : { error: answer.Error.Message };
    return { exitCode: answer.StatusCode, oomKilled: false, ...error };
  }

  async kill(id: string, signal: number): Promise<void> {
    await this.#client.kill(id, signal);
  }

  async destroy(id: string): Promise<void> {
    await this.#client.kill(id, SIGKILL);
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    await this.#client.resize(id, size);
  }

  async remove(reference: string, options: { readonly force: boolean }): Promise<void> {
    await this.#client.remove(reference, { force: options.force, v: false });
  }

  list(): Promise<readonly ContainerSummary[]> {
    return this.#client.list({ all: true });
  }

  inspect(reference: string): Promise<unknown> {
    return this.#client.inspect(reference);
  }

  /** The containers are the daemon's and go on. */
  abandon(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
  }

  /** A start whose client has turned away: the daemon's goes on to its end, and is undone then. */
  async #takeBack(id: string, started: Promise<void>): Promise<void> {
    await started.catch(() => {});
    try {
      if (this.#madeBy(id).config.autoRemove) await this.remove(id, { force: true });
      else await this.destroy(id);
    } catch (error) {
      // it has ended, or is gone
      if (!(error instanceof DvmError)) throw error;
    }
  }

  #madeBy(id: string): Made {
    const made = this.#made.get(id);
    if (made === undefined) throw new Error(`container ${id} was not made by this client`);
    return made;
  }
}

/** Pumps both ways. @returns when the container's output has ended and was handed over */
async function joinStreams(
  socket: Duplex,
  streams: AttachedStreams,
  terminal: boolean,
): Promise<void> {
  const { stdin, stdout, stderr } = streams;
  // the end of the connection ends the client's input, whatever is left of it
  socket.on("error", () => {});
  if (stdin === undefined) socket.end();
  else stdin.pipe(socket);
  const output = terminal ? socket : socket.pipe(demultiplexer({ stdout, stderr }));
  if (terminal && stdout !== undefined) socket.pipe(stdout, { end: false });
  else output.resume();
  try {
    await finished(output, { writable: false });
  } finally {
    stdin?.unpipe(socket);
    socket.destroy();
  }
  await Promise.all([stdout, stderr].map(flushed));
}

async function flushed(sink: Writable | undefined): Promise<void> {
  if (sink === undefined || sink.destroyed || sink.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.write("", () => resolve());
  sink.once("close", resolve);
  await promise;
}
