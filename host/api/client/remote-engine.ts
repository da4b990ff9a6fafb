/** An engine in a daemon, for a client that runs containers as it would in its own process. */

import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TerminalSize } from "#protocol";
import type { ContainerExit } from "../../engine/container-exit.ts";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { EngineEvent, EventSink } from "../../engine/engine-event.ts";
import { DvmError } from "../../errors.ts";
import { demultiplexer } from "../docker/stdcopy.ts";
import { CountedSink } from "./counted-sink.ts";
import { type CreateOptions, createContainer, type WantedContainer } from "./create-container.ts";
import type { DaemonClient } from "./daemon-client.ts";
import { joinStreams } from "./join-streams.ts";

const SIGKILL = 9;

type Waiting = ReturnType<DaemonClient["wait"]>;

/** How a container ended for its client. */
export interface RemoteExit extends ContainerExit {
  /** whether the client has left it, by the detach keys, and it goes on */
  readonly isDetached?: true;
}

/** A container that this client made. */
interface Made {
  readonly config: Pick<DaemonContainerConfig, "autoRemove" | "terminal">;
  /** the client's own streams; absent: not attached */
  attached?: Attached;
  /** what has to be there before the start, so that nothing is missed */
  readonly prepared: Promise<unknown>[];
  /** what has to be handed over before the end is told */
  readonly delivered: Promise<unknown>[];
  /** settles when the client leaves by the detach keys */
  readonly left: PromiseWithResolvers<void>;
  /** when its process was about to start, on the clock of `performance.now` */
  startedAt?: number;
  /** whether output has come, which may be before the news of the start: they take different ways */
  hasOutput?: true;
}

interface Attached {
  readonly stdin: ClientStreams["stdin"];
  readonly stdout: CountedSink | undefined;
  readonly stderr: CountedSink | undefined;
  readonly detachKeys: string | undefined;
}

export class RemoteEngine implements AsyncDisposable {
  #client: DaemonClient;
  readonly #onEvent: EventSink;
  readonly #reconnect: (() => Promise<DaemonClient>) | undefined;
  readonly #made = new Map<string, Made>();

  /** @param reconnect finds, or starts, the daemon that follows one that is lost; absent: that is the end */
  constructor(
    client: DaemonClient,
    onEvent: EventSink,
    reconnect?: (() => Promise<DaemonClient>) | undefined,
  ) {
    this.#client = client;
    this.#onEvent = onEvent;
    this.#reconnect = reconnect;
  }

  /** A process whose input is open gets its end from this client, unless the configuration says otherwise. */
  async create(
    config: WantedContainer,
    options: Omit<CreateOptions, "onEvent"> = {},
  ): Promise<{ readonly id: string }> {
    const id = await createContainer(
      this.#client,
      { ...config, stdinOnce: config.stdinOnce ?? config.openStdin },
      { ...options, onEvent: this.#onEvent },
    );
    const left = Promise.withResolvers<void>();
    this.#made.set(id, { config, prepared: [], delivered: [], left });
    return { id };
  }

  /** Joins this process's streams to those that the container will have; the start waits for it. */
  attach(id: string, streams: ClientStreams, detachKeys?: string): void {
    const made = this.#madeBy(id);
    const { stdin, stdout, stderr } = streams;
    made.attached = {
      stdin,
      stdout: stdout && new CountedSink(stdout),
      stderr: stderr && new CountedSink(stderr),
      detachKeys,
    };
    const opening = this.#openStreams(id, made.attached, false);
    made.prepared.push(opening);
    this.#deliver(id, made, opening);
  }

  #openStreams(id: string, attached: Attached, logs: boolean): Promise<Duplex> {
    const { stdin, stdout, stderr, detachKeys } = attached;
    return this.#client.attach(id, {
      stdin: stdin !== undefined,
      stdout: stdout !== undefined,
      stderr: stderr !== undefined,
      logs,
      ...(detachKeys ? { detachKeys } : {}),
    });
  }

  #deliver(id: string, made: Made, opening: Promise<Duplex>): void {
    const join = async () => {
      const socket = await opening;
      const { stdin, stdout, stderr, detachKeys } = made.attached ?? {};
      const streams = {
        ...(stdin && { stdin }),
        ...(stdout && { stdout }),
        ...(stderr && { stderr }),
      };
      const onFirst = () => {
        made.hasOutput = true;
        this.#toldSince(id, "first-output");
      };
      const { terminal } = made.config;
      const how = await joinStreams({ socket, streams, terminal, detachKeys, onFirst });
      if (how === "detached") made.left.resolve();
    };
    const done = join();
    // a failure to open is told by the start
    done.catch(() => {});
    made.delivered.push(done);
  }

  /** @throws DvmError from the daemon; when the signal is aborted the container is taken away */
  async start(
    id: string,
    options: { readonly signal?: AbortSignal; readonly terminal?: TerminalSize } = {},
  ): Promise<void> {
    const { signal, terminal } = options;
    const { prepared, config } = this.#madeBy(id);
    await Promise.all(prepared);
    signal?.throwIfAborted();
    const onEvent = this.#untilProcess(id);
    const started = this.#client.start(id, { onEvent });
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([started, aborted.promise]);
      onEvent({ type: "phase-begin", container: id, phase: "process-start" });
      if (terminal !== undefined && config.terminal)
        await this.resize(id, terminal).catch(() => {});
    } catch (error) {
      if (signal?.aborted) await this.#takeBack(id, started);
      else if (config.autoRemove) await this.#untilRemoved(id);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The end of a container; of one that this client is attached to when its output is handed over, too. */
  async wait(id: string): Promise<RemoteExit> {
    const made = this.#made.get(id);
    const condition = made?.config.autoRemove ? "removed" : made ? "next-exit" : "not-running";
    const waiting = this.#client.wait(id, condition);
    made?.prepared.push(waiting);
    const end = this.#endOf(id, made, waiting);
    // the client may be gone before it
    end.catch(() => {});
    const leaving = made === undefined ? [] : [made.left.promise.then(() => true)];
    if (await Promise.race([end.then(() => false), ...leaving]))
      return { exitCode: 0, oomKilled: false, isDetached: true };
    const answer = await end;
    await Promise.all(made?.delivered ?? []);
    if (made !== undefined) this.#toldSince(id, "process");
    return remoteExit(answer);
  }

  /**
   * The end of a container that an earlier client was attached to when its daemon was lost.
   *
   * @param delivered how many `bytes` of each stream were handed on
   */
  async follow(
    id: string,
    {
      autoRemove,
      streams: { stdout, stderr },
      delivered,
    }: {
      readonly autoRemove: boolean;
      readonly streams: Required<Pick<ClientStreams, "stdout" | "stderr">>;
      readonly delivered: { readonly stdout: number; readonly stderr: number };
    },
  ): Promise<RemoteExit> {
    const attached = {
      stdin: undefined,
      stdout: new CountedSink(stdout, delivered.stdout),
      stderr: new CountedSink(stderr, delivered.stderr),
      detachKeys: undefined,
    };
    const made: Made = {
      config: { autoRemove, terminal: false },
      attached,
      prepared: [],
      delivered: [],
      left: Promise.withResolvers<void>(),
      startedAt: performance.now(),
    };
    this.#made.set(id, made);
    const answer = await this.#endOf(id, made, this.#resume(id, made));
    await Promise.all(made.delivered);
    return remoteExit(answer);
  }

  /** A daemon that is lost leaves the container running: the next one is asked. */
  async #endOf(id: string, made: Made | undefined, waiting: Waiting): ReturnType<Awaited<Waiting>> {
    const end = await waiting;
    try {
      return await end();
    } catch (error) {
      const isLost = error instanceof DvmError && error.code === "DAEMON_UNREACHABLE";
      if (!isLost || made?.startedAt === undefined || this.#reconnect === undefined) throw error;
      await Promise.allSettled(made.delivered.splice(0));
      this.#client[Symbol.dispose]();
      this.#client = await this.#reconnect();
      const resumed = this.#resume(id, made).catch((cause: unknown) => {
        // nobody knows how it ended
        throw cause instanceof DvmError && cause.code === "NO_SUCH_CONTAINER" ? error : cause;
      });
      return await this.#endOf(id, made, resumed);
    }
  }

  /** Joins the streams of a container that a new daemon has taken over, where the lost one's were cut off. */
  async #resume(id: string, made: Made): Waiting {
    const waiting = await this.#client.wait(id, made.config.autoRemove ? "removed" : "not-running");
    const { attached } = made;
    const { State: state } = await this.#client.details(id);
    if (attached === undefined) return waiting;
    // what was logged comes first, of which the sinks leave out what they have had
    attached.stdout?.startAgain();
    attached.stderr?.startAgain();
    if (state.Running) this.#deliver(id, made, this.#openStreams(id, attached, true));
    else await this.#replay(id, made.config.terminal, attached);
    return waiting;
  }

  /** All output of a process that ended while no daemon was there. */
  async #replay(id: string, terminal: boolean, { stdout, stderr }: Attached): Promise<void> {
    const wanted = { stdout: stdout !== undefined, stderr: stderr !== undefined };
    if (!(wanted.stdout || wanted.stderr)) return;
    const source = await this.#client.logs(id, wanted);
    if (!terminal) await pipeline(source, demultiplexer({ stdout, stderr }).resume());
    else if (stdout !== undefined) await pipeline(source, stdout);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
  }

  /** Hands events on; that the process starts is told once. */
  #untilProcess(id: string): (event: EngineEvent) => void {
    const made = this.#madeBy(id);
    return (event) => {
      const starts = event.type === "phase-begin" && event.phase === "process-start";
      if (starts && made.startedAt !== undefined) return;
      if (starts) made.startedAt = performance.now();
      this.#onEvent(event);
      if (starts && made.hasOutput) this.#toldSince(id, "first-output");
    };
  }

  /** What only the client sees: how long after the process's start it was. */
  #toldSince(container: string, phase: "first-output" | "process"): void {
    const { startedAt } = this.#madeBy(container);
    if (startedAt === undefined) return;
    const milliseconds = performance.now() - startedAt;
    this.#onEvent({ type: "phase-end", container, phase, milliseconds });
  }

  /** A start whose client has turned away: nobody wants the container any more. */
  async #takeBack(id: string, started: Promise<void>): Promise<void> {
    started.catch(() => {});
    try {
      await this.remove(id, { force: true });
    } catch (error) {
      // it has ended, or is gone
      if (!(error instanceof DvmError)) throw error;
    }
  }

  /** The daemon takes a container that did not start away by itself. */
  async #untilRemoved(id: string): Promise<void> {
    try {
      const removed = await this.#client.wait(id, "removed");
      await removed();
    } catch (error) {
      // it is gone already
      if (!(error instanceof DvmError)) throw error;
    }
  }

  #madeBy(id: string): Made {
    const made = this.#made.get(id);
    if (made === undefined) throw new Error(`container ${id} was not made by this client`);
    return made;
  }
}

function remoteExit(answer: Awaited<ReturnType<Awaited<Waiting>>>): RemoteExit {
  const error = answer.Error === undefined ? {} : { error: answer.Error.Message };
  return { exitCode: answer.StatusCode, oomKilled: answer.OOMKilled, ...error };
}
