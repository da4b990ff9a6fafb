/** For tests: a process that is a few lines, chosen by its command. */

import type { Writable } from "node:stream";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";

/**
 * `echo WORD…` and `warn WORD…` write to stdout and stderr, `exit N` ends with a status, `cat` writes its input back,
 * `flood N` writes N bytes as fast as its readers take them, `sleep` runs until it is signalled.
 */
export class TestProcess {
  onOutput: (stream: "stdout" | "stderr", bytes: Buffer) => void = () => {};
  onExit: (exitCode: number) => void = () => {};
  /** resolved when it has ended and its output was handed over */
  readonly drained: Promise<void>;
  isRunning = false;
  /** how much of a flood was written so far, in `bytes` */
  flooded = 0;
  readonly #settle: () => void;
  readonly #clients = new Set<ClientStreams>();
  readonly #command: readonly string[];
  readonly #terminal: boolean;
  #handed: Promise<unknown> = Promise.resolve();

  constructor(command: readonly string[], terminal: boolean) {
    this.#command = command;
    this.#terminal = terminal;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.drained = promise;
    this.#settle = resolve;
  }

  /** @returns what takes the client off again */
  join(streams: ClientStreams): () => void {
    this.#clients.add(streams);
    if (this.isRunning) this.#read(streams);
    return () => this.#clients.delete(streams);
  }

  run(): void {
    this.isRunning = true;
    for (const client of this.#clients) this.#read(client);
    const [name = "", ...words] = this.#command;
    const line = `${words.join(" ")}\n`;
    if (name === "cat" || name === "sleep") return;
    if (name === "flood") return void this.#flood(Number(words[0]));
    if (name === "echo") this.write("stdout", Buffer.from(line));
    if (name === "warn") this.write("stderr", Buffer.from(line));
    this.exit(name === "exit" ? Number(words[0]) : 0);
  }

  exit(code: number): void {
    if (!this.isRunning) return;
    this.isRunning = false;
    void this.#handed.then(() => {
      this.#settle();
      this.onExit(code);
    });
  }

  #read({ stdin }: ClientStreams): void {
    if (stdin === undefined || this.#command[0] !== "cat") return;
    stdin.on("data", (bytes: Buffer) => this.write("stdout", bytes));
    stdin.once("end", () => this.exit(0));
    stdin.on("error", () => {});
  }

  write(stream: "stdout" | "stderr", bytes: Buffer): void {
    this.onOutput(stream, bytes);
    for (const client of this.#clients) {
      const sink = this.#terminal ? client.stdout : client[stream];
      if (sink !== undefined) this.#handed = Promise.all([this.#handed, written(sink, bytes)]);
    }
  }

  async #flood(length: number): Promise<void> {
    const piece = Buffer.alloc(64 * 1024, "x");
    while (this.flooded < length && this.isRunning) {
      const bytes = piece.subarray(0, Math.min(piece.length, length - this.flooded));
      this.flooded += bytes.length;
      await Promise.all(
        [...this.#clients].map(({ stdout }) => (stdout ? written(stdout, bytes) : undefined)),
      );
      await new Promise(setImmediate);
    }
    this.exit(0);
  }
}

async function written(sink: Writable, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (sink.destroyed) return;
  sink.once("close", resolve);
  sink.write(bytes, () => resolve());
  await promise;
  sink.off("close", resolve);
}
