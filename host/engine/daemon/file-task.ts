/** Work on a container's files, done by its guest. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FileTask } from "#protocol";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { DvmError } from "../../errors.ts";
import { engineError } from "../errors.ts";

/** What begins the names of these processes in the guest. */
export const FILE_TASK_PREFIX = "files-";
/** Longest first line of an answer, and longest error, in `bytes`. */
const MAX_LINE = 16 * 1024;
const SIGKILL = 9;

export interface FileTaskOptions {
  readonly container: string;
  readonly task: FileTask;
  readonly input?: AsyncIterable<Uint8Array>;
  /** ends the task */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningFileTask {
  readonly output: Readable;
  /** settles when the guest is done; rejects with what it refused */
  readonly ended: Promise<void>;
}

export async function startFileTask(
  agent: AgentClient,
  { container, task, input, signal }: FileTaskOptions,
): Promise<RunningFileTask> {
  const process = `${FILE_TASK_PREFIX}${randomBytes(12).toString("hex")}`;
  const output = agent.openReadable();
  const complaints = agent.openReadable();
  const stdin = input === undefined ? undefined : agent.openWritable();
  // told by `ended`
  for (const stream of [output, complaints, stdin]) stream?.on("error", () => {});
  const exit = exitOf(agent, process);
  const kill = () => {
    agent.request({ type: "process.signal", container, process, signal: SIGKILL }).catch(() => {});
  };
  const stdio = { stdout: output.id, stderr: complaints.id, ...(stdin ? { stdin: stdin.id } : {}) };
  await agent.request({ type: "container.files", container, process, task, stdio });
  // nobody reads on: the rest is not worth its work
  output.once("close", () => {
    if (!output.readableEnded) kill();
  });
  signal?.addEventListener("abort", kill, { once: true });
  const fed = stdin && input ? feed(input, stdin, kill) : Promise.resolve(undefined);
  const ended = finish({ exit, complaints, fed, signal }).finally(() =>
    signal?.removeEventListener("abort", kill),
  );
  ended.catch((error: Error) => output.destroy(error));
  return { output, ended };
}

/** Takes the first line off a stream. @returns nothing when it ends before */
export async function takeLine(stream: Readable): Promise<string | undefined> {
  let head = Buffer.alloc(0);
  for (;;) {
    const chunk: Buffer | null = stream.read();
    if (chunk === null) {
      if (stream.readableEnded || stream.destroyed) return undefined;
      await readableOrOver(stream);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\n");
    if (end >= 0) {
      const rest = head.subarray(end + 1);
      if (rest.length > 0) stream.unshift(rest);
      return head.toString("utf8", 0, end);
    }
    if (head.length > MAX_LINE) throw broken("a line without an end");
  }
}

/** All of a stream, of at most `limit` bytes. */
export async function takeAll(stream: Readable, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream) {
    length += piece.length;
    if (length > limit) throw broken(`more than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export function broken(what: string): DvmError {
  return engineError("MACHINE_LOST", `the guest answered with ${what}`);
}

async function readableOrOver(stream: Readable): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race(
      ["readable", "end", "close"].map((event) => once(stream, event, { signal })),
    );
  } catch {
    // its error is told by `ended`
  } finally {
    over.abort();
  }
}

interface Finishing {
  readonly exit: Promise<number>;
  readonly complaints: Readable;
  /** what was wrong with the input */
  readonly fed: Promise<Error | undefined>;
  readonly signal: AbortSignal | undefined;
}

async function finish({ exit, complaints, fed, signal }: Finishing): Promise<void> {
  const said = takeAll(complaints, MAX_LINE).catch(() => Buffer.alloc(0));
  const code = await exit;
  const failure = code === 0 ? undefined : describe(await said);
  const inputError = await fed;
  if (inputError !== undefined) throw inputError;
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure;
  complaints.destroy();
}

/** @returns what was wrong with the input itself; a guest that takes no more says why itself */
async function feed(
  input: AsyncIterable<Uint8Array>,
  stdin: NodeJS.WritableStream,
  kill: () => void,
): Promise<Error | undefined> {
  let inputError: Error | undefined;
  async function* watched() {
    try {
      yield* input;
    } catch (error) {
      inputError = error as Error;
      throw error;
    }
  }
  try {
    await pipeline(watched(), stdin);
  } catch {
    if (inputError !== undefined) kill();
  }
  return inputError;
}

/** @returns its exit code */
function exitOf(agent: AgentClient, process: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const onExit = (exit: { readonly process: string; readonly code: number }) => {
    if (exit.process === process) done(() => resolve(exit.code));
  };
  const onClosed = () =>
    done(() => reject(engineError("MACHINE_LOST", "the container ended meanwhile")));
  const done = (settle: () => void) => {
    agent.off("process.exit", onExit);
    agent.off("closed", onClosed);
    settle();
  };
  agent.on("process.exit", onExit);
  agent.on("closed", onClosed);
  promise.catch(() => {});
  return promise;
}

/** The guest's own words, of which only known codes are taken. */
function describe(text: Buffer): DvmError {
  let value: { readonly code?: unknown; readonly message?: unknown } = {};
  try {
    value = JSON.parse(text.toString("utf8")) ?? {};
  } catch {
    // a guest that was killed has said nothing
  }
  const message = typeof value.message === "string" ? value.message.slice(0, 2000) : "it was ended";
  if (value.code === "NO_SUCH_PATH") return engineError("NO_SUCH_PATH", message);
  if (value.code === "CONFIG_INVALID") return engineError("CONFIG_INVALID", message);
  return engineError("MACHINE_LOST", `working on the container's files: ${message}`);
}
