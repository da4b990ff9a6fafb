/**
 * A program of which a few processes are kept that wait for their input, so that a start waits for none to begin: that
 * takes longer than what most of them have to do, and holds up everything else meanwhile. One serves one call. They end
 * with us, however we end: their input does.
 */

import {
  type Program,
  type ProgramResult,
  type StartedProgram,
  startProgram,
} from "./run-program.ts";

interface Times {
  /** after a call, until others are started, in `milliseconds`: what it was for is over then */
  readonly rest?: number;
  /** without a call, until they are let go, in `milliseconds` */
  readonly idle?: number;
}

export class ReadyProgram {
  readonly #program: Program;
  readonly #count: number;
  readonly #rest: number;
  readonly #idle: number;
  #waiting: StartedProgram[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param count of processes that are kept once there was a call */
  constructor(program: Program, count: number, { rest = 500, idle = 600_000 }: Times = {}) {
    this.#program = program;
    this.#count = count;
    this.#rest = rest;
    this.#idle = idle;
  }

  /** @throws DvmError `NETWORK_TOOL_MISSING` */
  call(input: string): Promise<ProgramResult> {
    const ready = this.#living().shift();
    this.#after(this.#rest, () => this.#fill());
    return (ready ?? startProgram(this.#program)).finish(input);
  }

  #living(): StartedProgram[] {
    this.#waiting = this.#waiting.filter((each) => each.isThere());
    return this.#waiting;
  }

  #fill(): void {
    while (this.#living().length < this.#count) this.#waiting.push(startProgram(this.#program));
    this.#after(this.#idle, () => this.#letGo());
  }

  #letGo(): void {
    // nothing to do is no failure
    for (const each of this.#waiting.splice(0)) void each.finish("").catch(() => {});
  }

  #after(milliseconds: number, step: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(step, milliseconds).unref();
  }
}
