/**
 * A process in which images are pulled, pushed and loaded: reading layers takes memory that a process does not give
 * back, and a daemon stays small. It serves the jobs that there are at once, which share what they read of the same
 * layer, and ends with the last of them.
 */

import { type ChildProcess, fork } from "node:child_process";
import { DvmError } from "../../errors.ts";
import { imageError } from "../../image/errors.ts";
import type { ImageJob, JobAnswer, JobEvent, JobRequest } from "./image-job.ts";

/** Does jobs: in this process, or in another. */
export type RunJob = (
  uid: number,
  job: ImageJob,
  options: { readonly onEvent: (event: JobEvent) => void; readonly signal: AbortSignal },
) => Promise<void>;

/** As in bin/dvm: little that a layer is read with lives long. */
const NODE_OPTIONS = ["--no-warnings", "--max-semi-space-size=1"];

/** Large blocks go back at once when they are freed, and no threads have heaps of their own (mallopt(3)). */
const MALLOC = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "1048576" };

interface UnderWay {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly onEvent: (event: JobEvent) => void;
}

export class ImageWorker implements Disposable {
  readonly #program: string;
  readonly #dataRoot: string;
  readonly #jobs = new Map<number, UnderWay>();
  #child: ChildProcess | undefined;
  #last = 0;

  /** @param program path of `serve-image-jobs.ts`, or of its bundle */
  constructor(program: string, dataRoot: string) {
    this.#program = program;
    this.#dataRoot = dataRoot;
  }

  /** @throws what the job throws; LOAD_CANCELLED, once all is undone, when it was aborted */
  readonly run: RunJob = async (uid, job, { onEvent, signal }) => {
    if (signal.aborted) throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
    const child = this.#alive();
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#jobs.set(id, { resolve, reject, onEvent });
    const cancel = () => tell(child, { kind: "cancel", id });
    signal.addEventListener("abort", cancel);
    try {
      tell(child, { kind: "job", id, uid, dataRoot: this.#dataRoot, job });
      await promise;
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#jobs.delete(id);
      if (this.#jobs.size === 0) this[Symbol.dispose]();
    }
  };

  /** Lets go of the process, which calls off what it is doing and ends. */
  [Symbol.dispose](): void {
    const child = this.#child;
    this.#child = undefined;
    if (child?.connected) child.disconnect();
  }

  #alive(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = fork(this.#program, [], {
      execArgv: NODE_OPTIONS,
      env: { ...process.env, ...MALLOC },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    child.on("message", (answer: JobAnswer) => this.#hear(answer));
    const lost = (why: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      for (const job of this.#jobs.values()) job.reject(new Error(`the process for images ${why}`));
    };
    child.once("error", (error) => lost(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) => lost(`ended with ${signal ?? code}`));
    return child;
  }

  #hear(answer: JobAnswer): void {
    const job = this.#jobs.get(answer.id);
    if (answer.kind === "event") job?.onEvent(answer.event);
    else if (answer.kind === "done") job?.resolve();
    else job?.reject(errorOf(answer));
  }
}

/** One that has just ended is told by its exit. */
function tell(child: ChildProcess, request: JobRequest): void {
  if (child.connected) child.send(request, () => {});
}

function errorOf(answer: Extract<JobAnswer, { kind: "failed" }>): Error {
  const { message, code, exitCode = 125, hint } = answer;
  if (code === undefined) return new Error(message);
  return new DvmError(code, message, { exitCode, ...(hint === undefined ? {} : { hint }) });
}
