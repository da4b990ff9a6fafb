/** The stages of a VM's start: each has a deadline, and each can be cut short by an abort or by the VM's end. */

import type { MachineExit, MachineStage, StartOptions } from "./hypervisor.ts";

/** Why a stage was not finished. */
export type StageFailure =
  | { readonly kind: "timeout"; readonly milliseconds: number }
  | { readonly kind: "aborted"; readonly cause: unknown }
  | { readonly kind: "ended"; readonly exit: MachineExit }
  | { readonly kind: "error"; readonly cause: unknown };

/** What a stage throws; the backend makes it a `VmmError`, for it has the console and the advice. */
export class StageError extends Error {
  override readonly name = "StageError";
  readonly stage: MachineStage;
  readonly failure: StageFailure;

  constructor(stage: MachineStage, failure: StageFailure) {
    super(`stage ${stage}: ${failure.kind}`);
    this.stage = stage;
    this.failure = failure;
  }
}

export interface StageClockOptions extends StartOptions {
  readonly deadlines: Readonly<Record<MachineStage, number>>;
}

export class StageClock {
  readonly #options: StageClockOptions;
  #exit: Promise<MachineExit> | undefined;

  constructor(options: StageClockOptions) {
    this.#options = options;
  }

  /** From now on the end of the machine ends the stage. */
  watch(exit: Promise<MachineExit>): void {
    this.#exit = exit;
  }

  /**
   * Runs one stage.
   *
   * @throws {StageError} at its deadline, at an abort, at the machine's end, or when `work` fails
   */
  async run<Result>(stage: MachineStage, work: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    const result = await this.#race(stage, work);
    this.#options.onStage?.(stage, performance.now() - start);
    return result;
  }

  async #race<Result>(stage: MachineStage, work: () => Promise<Result>): Promise<Result> {
    const { signal, deadlines } = this.#options;
    const failed = Promise.withResolvers<never>();
    const fail = (failure: StageFailure) => failed.reject(new StageError(stage, failure));
    const aborted = () => fail({ kind: "aborted", cause: signal?.reason });
    const milliseconds = deadlines[stage];
    const timer = setTimeout(() => fail({ kind: "timeout", milliseconds }), milliseconds);
    this.#exit?.then((exit) => fail({ kind: "ended", exit }));
    signal?.addEventListener("abort", aborted);
    try {
      if (signal?.aborted) aborted();
      const worked = signal?.aborted ? failed.promise : work().catch(rethrowAs(stage));
      return await Promise.race([failed.promise, worked]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      // The machine's end comes some day; by then nobody waits for it here.
      failed.promise.catch(() => {});
    }
  }
}

function rethrowAs(stage: MachineStage): (cause: unknown) => never {
  return (cause) => {
    throw new StageError(stage, { kind: "error", cause });
  };
}
