/** The life of a container as its client sees it: made, joined, started, waited for. */

import { ERRNO, errnoName } from "#linux/errno";
import { SIGNALS } from "#linux/signal";
import { createAnswer, waitAnswer } from "../../api/client/answers.ts";
import {
  CALL_OFF_AGAIN,
  lostDaemon,
  parseJson,
  readToldLine,
} from "../../api/client/daemon-answer.ts";
import { apiError } from "../../api/docker/errors.ts";
import { readBySchema } from "../../api/docker/schema.ts";
import type { EngineEvent } from "../../api/engine-api.ts";
import { DvmError } from "../../errors.ts";
import { attempt } from "../../sys/quickjs/calls.ts";
import { exitCodeOf, renderError } from "../render/error.ts";
import { type ProgressRenderer, progressRenderer } from "../render/progress.ts";
import {
  ENDED_BY_FORCE,
  OUTPUT_FAILED,
  OUTPUT_UNREAD,
  outputFailure,
  tellEnd,
} from "../render/run-end.ts";
import { signalPolicy } from "../terminal/signal-policy.ts";
import type { Answer } from "./answer.ts";
import type { Connection, Request } from "./connection.ts";
import { Delivery } from "./delivery.ts";
import type { Watched } from "./event-loop.ts";
import type { LostDaemon } from "./lost-daemon.ts";
import { NotHere } from "./not-here.ts";
import { type Asked, Requests, refusal } from "./requests.ts";
import type { Signals } from "./signals.ts";
import type { WantedRun } from "./wanted-run.ts";
import { randomHex, terminalColumns, write } from "./world.ts";

const [STDOUT, STDERR] = [1, 2];
const SHUT_WR = 1;
const COMMAND = { name: "run", runsContainer: true } as const;

export type RunEnd = { readonly exitCode: number } | { readonly lost: Omit<LostDaemon, "signals"> };

export class QuickRun {
  readonly #wanted: WantedRun;
  readonly #requests: Requests;
  readonly #progress: ProgressRenderer;
  readonly #output = new Delivery();
  readonly #policy = signalPolicy({
    interrupt: (exitCode) => this.#interrupt(exitCode),
    force: (exitCode) => void attempt("exit_group", exitCode),
    forward: (signal) => this.#kill(signal),
    giveUp: (exitCode) => this.#giveUp(exitCode),
  });
  #id = "";
  /** answers whose result was told */
  readonly #answered = new Set<Answer>();
  #isRunning = false;
  #hasEnded = false;
  /** when its process was about to start, on the clock of `performance.now` */
  #startedAt: number | undefined;
  #hasSpoken = false;
  #hasOutput = true;
  /** exit code when the client has ended the container by force, or has none any more */
  #givenUp: number | undefined;
  /** why the start failed */
  #unstarted: DvmError | undefined;
  #interrupted: number | undefined;

  /** @param parts `daemon`: a connection to the daemon that is wanted */
  constructor(parts: {
    readonly wanted: WantedRun;
    readonly daemon: Connection;
    readonly signals: Signals;
  }) {
    const { wanted, daemon, signals } = parts;
    this.#wanted = wanted;
    const beside = () => [
      signals.watched((name) => this.#policy.receive(name)),
      ...this.#output.watched(),
    ];
    this.#requests = new Requests({ socket: wanted.socket, daemon, beside });
    const columns = terminalColumns(STDERR);
    const stderr = {
      isTTY: columns !== undefined,
      ...(columns !== undefined && { columns }),
      write: (text: string) => write(STDERR, text),
    };
    this.#progress = progressRenderer({ stderr, verbose: wanted.verbose, quiet: wanted.quiet });
  }

  /** @throws NotHere before anything is made */
  run(): RunEnd {
    try {
      return this.#run();
    } catch (error) {
      if (error instanceof NotHere) throw error;
      return this.#failed(error);
    } finally {
      this.#progress.clear();
    }
  }

  #run(): RunEnd {
    const failed = this.#create();
    if (failed !== undefined) return failed;
    if (this.#interrupted !== undefined) return this.#takeBack(this.#interrupted);
    if (this.#wanted.detach) return this.#startDetached();
    return this.#runAttached();
  }

  /** @returns the end of a run that came no further @throws NotHere where an image is to be brought */
  #create(): RunEnd | undefined {
    const { creation, pulls } = this.#wanted;
    const work = randomHex(16);
    const headers = { "Dvm-Events": work };
    const asked = this.#requests.ask({ method: "POST", ...creation, headers });
    let calledOffAt = Number.NEGATIVE_INFINITY;
    let made: unknown;
    while (made === undefined && this.#unstarted === undefined) {
      // what is called off says when it is undone; it may not have begun yet
      const isCalledOff = this.#interrupted !== undefined;
      if (isCalledOff && performance.now() - calledOffAt >= CALL_OFF_AGAIN) {
        this.#requests.aside({ method: "DELETE", path: `/dvm/work/${work}` });
        calledOffAt = performance.now();
      }
      this.#requests.wait([this.#requests.take(asked)], isCalledOff ? CALL_OFF_AGAIN : undefined);
      made = this.#readSteps(asked.answer);
      if (this.#requests.failure !== undefined) return this.#failed(this.#requests.failure);
    }
    if (this.#unstarted !== undefined) {
      if (this.#interrupted !== undefined) return { exitCode: this.#interrupted };
      if (pulls && this.#unstarted.code === "IMAGE_NOT_FOUND") throw new NotHere("a pull");
      return this.#failed(this.#unstarted);
    }
    // its end comes before the next answer on this connection
    this.#requests.complete(asked);
    const { Id, Warnings } = readBySchema(createAnswer, made);
    this.#id = Id;
    for (const text of Warnings) this.#warn(text);
    return undefined;
  }

  #startDetached(): RunEnd {
    // whoever is told that it does not start can look at it
    write(STDOUT, `${this.#id}\n`);
    const asked = this.#start();
    for (;;) {
      this.#requests.wait([this.#requests.take(asked)]);
      this.#readSteps(asked.answer);
      if (this.#interrupted !== undefined) return this.#takeBack(this.#interrupted);
      if (this.#requests.failure !== undefined) return this.#failed(this.#requests.failure);
      if (this.#unstarted !== undefined) {
        const path = this.#path("/wait?condition=removed");
        return this.#notStarted(this.#unstarted, this.#requests.ask({ method: "POST", path }));
      }
      if (asked.answer.isComplete) return { exitCode: 0 };
    }
  }

  #runAttached(): RunEnd {
    const streams = "stdin=false&stdout=1&stderr=1&logs=false&stream=1";
    const upgrade = { Connection: "Upgrade", Upgrade: "tcp" };
    const attached = this.#ask("POST", `/attach?${streams}`, upgrade);
    const condition = this.#wanted.autoRemove ? "removed" : "next-exit";
    const ended = this.#requests.ask({
      method: "POST",
      path: this.#path(`/wait?condition=${condition}`),
    });
    while (attached.answer.status === undefined || ended.answer.status === undefined) {
      this.#requests.wait([
        ...(attached.answer.status === undefined ? [this.#requests.take(attached)] : []),
        ...(ended.answer.status === undefined ? [this.#requests.take(ended)] : []),
      ]);
      if (this.#interrupted !== undefined) return this.#takeBack(this.#interrupted);
      if (this.#requests.failure !== undefined) return this.#failed(this.#requests.failure);
    }
    for (const { answer } of [attached, ended])
      if ((answer.status ?? 0) >= 400) return this.#failed(refusal(answer));
    attempt("shutdown", attached.connection.fd, SHUT_WR);
    this.#output.offer(attached.answer.rest().slice());
    return this.#untilEnd({ attached, ended, started: this.#start() });
  }

  #untilEnd(asked: { attached: Asked; ended: Asked; started: Asked }): RunEnd {
    const { attached, ended, started } = asked;
    let isLost = false;
    for (;;) {
      this.#deliver();
      if (this.#interrupted !== undefined) return this.#takeBack(this.#interrupted);
      if (this.#requests.failure !== undefined) return this.#failed(this.#requests.failure);
      if (this.#unstarted !== undefined) return this.#notStarted(this.#unstarted, ended);
      const isDelivered = !this.#hasOutput && !this.#output.isFull;
      if (isLost && isDelivered) return this.#lost();
      if (ended.answer.isComplete && isDelivered) return this.#over(ended.answer);
      this.#requests.wait([
        ...(this.#hasOutput && !this.#output.isFull ? [this.#more(attached.connection)] : []),
        ...(started.answer.isComplete ? [] : [this.#requests.take(started)]),
        ...(ended.answer.isComplete || isLost
          ? []
          : [this.#requests.take(ended, () => (isLost = true))]),
      ]);
      if (this.#readSteps(started.answer) !== undefined) this.#running();
      if (ended.answer.isComplete && !this.#hasEnded) this.#policy.containerEnded();
      this.#hasEnded = ended.answer.isComplete;
    }
  }

  /** The end, as the daemon tells it. */
  #over(answer: Answer): RunEnd {
    if ((answer.status ?? 0) >= 400) return this.#failed(refusal(answer));
    const told = readBySchema(waitAnswer, parseJson(answer.text()));
    const { StatusCode: exitCode, OOMKilled: oomKilled, Error: error } = told;
    const end = { exitCode, oomKilled, ...(error && { error: error.Message }) };
    this.#tellSince("process");
    if (this.#givenUp === undefined) tellEnd(end, (text) => write(STDERR, text));
    return { exitCode: this.#givenUp ?? end.exitCode };
  }

  #lost(): RunEnd {
    if (this.#startedAt === undefined || this.#givenUp !== undefined)
      return this.#failed(lostDaemon());
    const { autoRemove, proxySignals } = this.#wanted;
    const { stdout, stderr } = this.#output;
    const lost = { container: this.#id, autoRemove, proxySignals };
    return { lost: { ...lost, stdout: stdout.taken, stderr: stderr.taken } };
  }

  /** The daemon takes it away by itself, if it goes with its end. */
  #notStarted(error: DvmError, ended: Asked): RunEnd {
    if (this.#wanted.autoRemove) this.#requests.complete(ended);
    return this.#failed(error);
  }

  #failed(error: unknown): RunEnd {
    this.#progress.clear();
    write(STDERR, renderError(error, COMMAND));
    return { exitCode: this.#givenUp ?? exitCodeOf(error, COMMAND) };
  }

  /** Nobody wants the container any more. */
  #takeBack(exitCode: number): RunEnd {
    try {
      this.#requests.complete(this.#ask("DELETE", "?force=1"));
    } catch (error) {
      // the daemon is gone, which nobody asks for any more
      if (!(error instanceof DvmError)) throw error;
    }
    return { exitCode };
  }

  #start(): Asked {
    return this.#ask("POST", "/start", { "Dvm-Events": randomHex(16) });
  }

  /** The steps of creation or start. @returns what came of it, when that is told */
  #readSteps(answer: Answer): unknown {
    if (answer.status === undefined) return undefined;
    if (answer.status >= 400) {
      if (answer.isComplete) this.#unstarted ??= refusal(answer);
      return undefined;
    }
    for (const text of answer.text().split("\n")) {
      if (text === "") continue;
      const line = readToldLine(text);
      if (line.kind === "failure") this.#unstarted ??= line.error;
      else if (line.kind === "result") {
        this.#answered.add(answer);
        return line.body ?? null;
      } else this.#onEvent(line.event);
    }
    const isOver = answer.isComplete && !this.#answered.has(answer);
    if (isOver && this.#unstarted === undefined) this.#requests.failure ??= lostDaemon();
    return undefined;
  }

  #onEvent(event: EngineEvent): void {
    if (event.type === "phase-begin" && event.phase === "process-start") {
      this.#startedAt ??= performance.now();
      this.#progress.clear();
    }
    this.#progress.onEvent(event);
  }

  /** What only the client sees: how long after the process's start it was. */
  #tellSince(phase: "first-output" | "process"): void {
    if (this.#startedAt === undefined) return;
    const milliseconds = performance.now() - this.#startedAt;
    this.#progress.onEvent({ type: "phase-end", container: this.#id, phase, milliseconds });
  }

  #running(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#startedAt ??= performance.now();
    this.#policy.containerRuns({ proxy: this.#wanted.proxySignals, onTerminal: false });
  }

  #more(connection: Connection): Watched {
    return connection.watched(() => {
      const bytes = connection.read();
      if (bytes !== undefined) {
        this.#output.offer(bytes);
        return;
      }
      this.#hasOutput = false;
      const { complaint } = this.#output;
      if (complaint !== "") this.#requests.failure ??= apiError("DAEMON_REFUSED", complaint);
    });
  }

  #deliver(): void {
    if (!this.#output.isWaiting) return;
    // the container writes: it runs
    this.#running();
    if (!this.#hasSpoken) this.#tellSince("first-output");
    this.#hasSpoken = true;
    this.#output.deliver();
    const { failure } = this.#output.stdout;
    if (failure !== undefined) this.#outputLost(failure);
  }

  /** Nobody reads the container's output any more: it ends with its client (`ContainerSession`). */
  #outputLost(errno: number): void {
    if (this.#givenUp !== undefined) return;
    this.#givenUp = OUTPUT_UNREAD;
    if (errno !== ERRNO.EPIPE) {
      this.#givenUp = OUTPUT_FAILED;
      write(STDERR, outputFailure(words(errno)));
    }
    this.#kill(SIGNALS.SIGKILL);
  }

  #giveUp(exitCode: number): void {
    if (this.#givenUp !== undefined) attempt("exit_group", exitCode);
    this.#givenUp = exitCode;
    write(STDERR, ENDED_BY_FORCE);
    this.#kill(SIGNALS.SIGKILL);
  }

  /** One that has ended already is let go. */
  #interrupt(exitCode: number): void {
    if (!this.#isRunning) this.#interrupted ??= exitCode;
  }

  /** A process that has just ended gets no signal: that is no error. */
  #kill(signal: number): void {
    this.#requests.aside({ method: "POST", path: this.#path(`/kill?signal=${signal}`) });
  }

  /** About the container. */
  #ask(
    method: Request["method"],
    what: string,
    headers: Readonly<Record<string, string>> = {},
  ): Asked {
    return this.#requests.askAnew({ method, path: this.#path(what), headers });
  }

  #path(what: string): string {
    return `/containers/${this.#id}${what}`;
  }

  #warn(text: string): void {
    this.#progress.onEvent({ type: "warning", container: this.#id, text });
  }
}

/** The system's words for the errors of a write that users meet. */
function words(errno: number): string {
  const known: Readonly<Record<number, string>> = {
    [ERRNO.ENOSPC]: "no space left on device",
    [ERRNO.EIO]: "i/o error",
    [ERRNO.EFBIG]: "file too large",
  };
  return known[errno] ?? errnoName(errno);
}
