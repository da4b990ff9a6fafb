/** A container's output and input as its clients have them: the log, and whoever is attached. */

import { engineError } from "../errors.ts";
import { ClientAttachment, type ClientStreams } from "./client-attachment.ts";
import type { ContainerLog, OutputName } from "./container-log.ts";
import type { GuestProcess } from "./guest-process.ts";
import type { DaemonContainerConfig, LogEntry, LogRequest } from "./model.ts";
import { readLog } from "./read-log.ts";

export interface ContainerStreamsOptions {
  readonly log: ContainerLog;
  readonly config: () => DaemonContainerConfig;
  /** what runs now */
  readonly process: () => GuestProcess | undefined;
  /** whether output may still come */
  readonly isLive: () => boolean;
}

export class ContainerStreams {
  readonly #options: ContainerStreamsOptions;
  readonly #attachments = new Set<ClientAttachment>();

  constructor(options: ContainerStreamsOptions) {
    this.#options = options;
  }

  /** How far the log holds each stream of the process, in `bytes`. */
  get logged(): Record<OutputName, number> {
    return this.#options.log.logged;
  }

  /** Joins a client, before the start or while it runs. `logs`: what was logged so far first; `stream`: what comes. */
  attach(
    streams: ClientStreams,
    { logs, stream }: { readonly logs: boolean; readonly stream: boolean },
  ): ClientAttachment {
    const attachment = new ClientAttachment(streams);
    this.#attachments.add(attachment);
    void attachment.done.then(() => this.#attachments.delete(attachment));
    const process = this.#options.process();
    if (logs && this.#options.log.path !== undefined) {
      this.#attachWithLogs(attachment, streams, stream);
    } else if (!stream) attachment.detach();
    else if (process !== undefined) this.#join(attachment, process);
    return attachment;
  }

  /** A process has started: who waited for it is joined. */
  started(process: GuestProcess): void {
    for (const attachment of this.#attachments) this.#join(attachment, process);
  }

  /** The process is over, and none will follow. */
  over(): void {
    for (const attachment of [...this.#attachments]) attachment.over();
  }

  /** Lets go of all clients at once. */
  detachAll(): void {
    for (const attachment of [...this.#attachments]) attachment.detach();
  }

  async *logs(request: LogRequest): AsyncGenerator<LogEntry> {
    const { log, isLive } = this.#options;
    if (log.path === undefined) {
      throw engineError("NOT_SUPPORTED", "configured logging driver does not support reading");
    }
    yield* readLog(
      { path: log.path, isLive, changed: (signal) => this.#logChanged(signal) },
      request,
    );
  }

  #join(attachment: ClientAttachment, process: GuestProcess): void {
    attachment.join(process.streams(this.#closesInput));
  }

  get #closesInput(): boolean {
    const { stdinOnce = false, terminal } = this.#options.config();
    return stdinOnce && !terminal;
  }

  /** What was logged comes first; what comes meanwhile waits for that. */
  #attachWithLogs(attachment: ClientAttachment, streams: ClientStreams, live: boolean): void {
    const abort = new AbortController();
    const past = (name: OutputName) => this.#past(name, abort.signal);
    const process = this.#options.process();
    void attachment.done.then(() => abort.abort());
    if (process === undefined || !live) {
      void this.#replay(streams, past).finally(() => {
        if (!live) attachment.detach();
      });
      return;
    }
    const addReader = (name: OutputName, target: NonNullable<ClientStreams["stdout"]>) =>
      process.hub(name).add(target, past(name));
    attachment.join({ ...process.streams(this.#closesInput), addReader });
  }

  async #replay(
    streams: ClientStreams,
    past: (name: OutputName) => AsyncIterable<Uint8Array>,
  ): Promise<void> {
    for (const name of ["stdout", "stderr"] as const) {
      const target = streams[name];
      if (target === undefined) continue;
      for await (const bytes of past(name)) target.write(bytes);
    }
  }

  /** One stream of the log as it is now, with the line that is not over. */
  async *#past(name: OutputName, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const partial = this.#options.log.partial(name).slice();
    const until = BigInt(Date.now() + 1) * 1_000_000n;
    const chosen = { stdout: name === "stdout", stderr: name === "stderr" };
    const entries = this.logs({ ...chosen, follow: false, until, signal });
    for await (const { bytes } of entries) yield bytes;
    if (partial.length > 0) yield partial;
  }

  #logChanged(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      log.off("change", wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    log.on("change", wake);
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
    return promise;
  }
}
