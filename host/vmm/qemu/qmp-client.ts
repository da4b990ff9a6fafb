/** Client of QMP, QEMU's control protocol, over any byte stream. */

import type { Duplex } from "node:stream";
import { descriptorOf } from "../../sys/descriptor-of.ts";
import { VmmError } from "../errors.ts";
import { parseQmpMessage, type QmpEvent, type QmpMessage } from "./qmp-message.ts";

/** Length of a line at most, in `bytes`: no answer to a command that we send comes near it. */
export const MAX_QMP_LINE = 1024 * 1024;

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: VmmError) => void;
}

/**
 * One QMP session. Answers find their commands by id; events go to the listener in their order. Whatever QEMU says
 * against the protocol ends the session: all commands that wait, and all that come later, fail with one error.
 */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #onEvent: (event: QmpEvent) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #greeting = Promise.withResolvers<string>();
  /** settles when the descriptors that wait are sent: commands that come later are sent later */
  #sending: Promise<void> | undefined;
  #nextId = 1;
  #partial: Buffer = Buffer.alloc(0);
  #failure: VmmError | undefined;

  constructor(stream: Duplex, onEvent: (event: QmpEvent) => void) {
    this.#stream = stream;
    this.#onEvent = onEvent;
    // Whether anybody waits for the greeting when the session ends is the caller's matter.
    this.#greeting.promise.catch(() => {});
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    stream.on("error", (cause) => this.#fail("QMP connection failed", cause));
    stream.on("close", () => this.#fail("QMP connection ended"));
    stream.on("end", () => this.#fail("QMP connection ended"));
  }

  /**
   * Waits for the greeting and leaves negotiation mode; before that QEMU takes no command and sends no event.
   *
   * @returns the version of QEMU
   */
  async negotiate(): Promise<string> {
    const version = await this.#greeting.promise;
    await this.execute("qmp_capabilities");
    return version;
  }

  /**
   * Sends a command and waits for its answer.
   *
   * @throws {VmmError} VMM_QMP_FAILED with QEMU's own words
   */
  execute(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const send = () => this.#send(command, parameters, (line) => void this.#stream.write(line));
    return this.#sending === undefined ? send() : this.#sending.then(send);
  }

  /**
   * Sends a command with a descriptor, which stays the caller's: `getfd` and `add-fd` take one.
   *
   * @throws {VmmError} VMM_QMP_FAILED with QEMU's own words
   */
  executeWith(
    descriptor: number,
    command: string,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const send = async (before: Promise<void> | undefined) => {
      const { sendDescriptors } = await import("../../sys/send-descriptors.ts");
      await before;
      // what was written before goes before
      while (this.#stream.writableLength > 0 && !this.#stream.destroyed) await this.#written();
      const write = (line: string) =>
        sendDescriptors(descriptorOf(this.#stream), Buffer.from(line), [descriptor]);
      resolve(this.#send(command, parameters, write));
    };
    const sending = send(this.#sending).catch(reject);
    this.#sending = sending;
    void sending.then(() => {
      if (this.#sending === sending) this.#sending = undefined;
    });
    return promise;
  }

  /** Resolves when all that waits has been written, or never will be. */
  #written(): Promise<void> {
    return new Promise((resolve) => void this.#stream.write("", () => resolve()));
  }

  #send(
    command: string,
    parameters: Readonly<Record<string, unknown>>,
    write: (line: string) => void,
  ): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { command, resolve, reject });
    write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`);
    return promise;
  }

  #receive(chunk: Buffer): void {
    let rest = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      if (this.#failure !== undefined) return;
      this.#receiveLine(rest.toString("utf8", 0, end));
      rest = rest.subarray(end + 1);
    }
    if (rest.length > MAX_QMP_LINE)
      this.#fail(`QMP sent a line of more than ${MAX_QMP_LINE} bytes`);
    this.#partial = rest;
  }

  #receiveLine(line: string): void {
    try {
      this.#dispatch(parseQmpMessage(line));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#fail(`QMP sent ${error.message}`);
    }
  }

  #dispatch(message: QmpMessage): void {
    switch (message.kind) {
      case "greeting":
        this.#greeting.resolve(message.version);
        break;
      case "event":
        this.#onEvent(message);
        break;
      case "return":
        this.#take(message.id).resolve(message.value);
        break;
      case "error": {
        const { command, reject } = this.#take(message.id);
        const text = `QMP command ${command} failed: ${message.description}`;
        reject(new VmmError("VMM_QMP_FAILED", text));
      }
    }
  }

  #take(id: number | undefined): Pending {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) throw new TypeError("an answer to no command");
    this.#pending.delete(id);
    return pending;
  }

  #fail(message: string, cause?: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = new VmmError("VMM_QMP_FAILED", message, { cause });
    this.#failure = failure;
    this.#greeting.reject(failure);
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
    this.#stream.destroy();
  }
}
