/** Health checks of a running container (moby daemon/health.go). */

import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Healthcheck } from "../../image/config.ts";
import type { ContainerRecord } from "../container-record.ts";
import type { GuestRun } from "./guest-run.ts";
import type { DaemonContainerConfig, HealthProbe, HealthState } from "./model.ts";

/** Docker's defaults, in `milliseconds`. */
const INTERVAL = 30_000;
const TIMEOUT = 30_000;
const START_INTERVAL = 5_000;
const RETRIES = 3;
/** Probes that are remembered, and bytes of each one's output. */
const KEPT_PROBES = 5;
const MAX_OUTPUT = 4096;
const SIGKILL = 9;

export class HealthMonitor {
  state: HealthState = { status: "starting", failingStreak: 0, log: [] };
  readonly #check: Healthcheck;
  readonly #run: GuestRun;
  readonly #onStatus: (status: HealthState["status"]) => void;
  readonly #stop = new AbortController();
  readonly #begun = Date.now();

  private constructor(
    check: Healthcheck,
    run: GuestRun,
    onStatus: (status: HealthState["status"]) => void,
  ) {
    this.#check = check;
    this.#run = run;
    this.#onStatus = onStatus;
    void this.#loop();
  }

  /** Begins to probe; nothing when the container has no check. */
  static of(
    { config, image }: ContainerRecord,
    run: GuestRun,
    onStatus: (status: HealthState["status"]) => void,
  ): HealthMonitor | undefined {
    const check = mergedCheck((config as DaemonContainerConfig).healthcheck, image.run.healthcheck);
    return check === undefined ? undefined : new HealthMonitor(check, run, onStatus);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    try {
      for (;;) {
        await delay(this.#pause(), undefined, { signal });
        this.#take(await this.#probe());
      }
    } catch (error) {
      // the container has ended under the probe
      if (!signal.aborted) this.stop();
      void error;
    }
  }

  #pause(): number {
    const { interval, startInterval } = this.#check;
    const usual = milliseconds(interval, INTERVAL);
    if (!this.#isStarting()) return usual;
    return Math.min(usual, milliseconds(startInterval, START_INTERVAL));
  }

  #isStarting(): boolean {
    const period = milliseconds(this.#check.startPeriod, 0);
    return this.state.status === "starting" && Date.now() - this.#begun < period;
  }

  async #probe(): Promise<HealthProbe> {
    const start = new Date().toISOString();
    const { execs } = this.#run;
    const output = new PassThrough();
    const pieces: Buffer[] = [];
    let length = 0;
    output.on("data", (bytes: Buffer) => {
      if (length < MAX_OUTPUT) pieces.push(bytes.subarray(0, MAX_OUTPUT - length));
      length += bytes.length;
    });
    const id = execs.create({
      command: commandOf(this.#check.test),
      env: [],
      terminal: false,
      privileged: false,
      attach: { stdin: false, stdout: true, stderr: true },
    });
    const end = (exitCode: number, text: string): HealthProbe => {
      execs.forget(id);
      return { start, end: new Date().toISOString(), exitCode, output: text };
    };
    try {
      await execs.start(id, { streams: { stdout: output, stderr: output } });
    } catch (error) {
      return end(1, (error as Error).message);
    }
    const timeout = milliseconds(this.#check.timeout, TIMEOUT);
    const late = new AbortController();
    const exit = await Promise.race([
      execs.ended(id),
      delay(timeout, undefined, { signal: late.signal }),
    ]);
    late.abort();
    if (exit !== undefined) return end(exit.exitCode, Buffer.concat(pieces).toString("utf8"));
    await execs.signal(id, SIGKILL).catch(() => {});
    return end(-1, `Health check exceeded timeout (${timeout / 1000}s)`);
  }

  #take(probe: HealthProbe): void {
    const { status, failingStreak, log } = this.state;
    const healthy = probe.exitCode === 0;
    const streak = healthy ? 0 : failingStreak + (this.#isStarting() ? 0 : 1);
    const retries = this.#check.retries > 0 ? this.#check.retries : RETRIES;
    const next = healthy ? "healthy" : streak >= retries ? "unhealthy" : status;
    this.state = { status: next, failingStreak: streak, log: [...log, probe].slice(-KEPT_PROBES) };
    if (next !== status) this.#onStatus(next);
  }
}

/** The user's check with the image's in place of what it leaves open. */
function mergedCheck(
  own: Healthcheck | undefined,
  image: Healthcheck | undefined,
): Healthcheck | undefined {
  const test = own !== undefined && own.test.length > 0 ? own.test : (image?.test ?? []);
  if (test.length === 0 || test[0] === "NONE") return undefined;
  const pick = (key: "interval" | "timeout" | "startPeriod" | "startInterval" | "retries") =>
    own?.[key] || image?.[key] || 0;
  return {
    test,
    interval: pick("interval"),
    timeout: pick("timeout"),
    startPeriod: pick("startPeriod"),
    startInterval: pick("startInterval"),
    retries: pick("retries"),
  };
}

function commandOf(test: readonly string[]): readonly string[] {
  const [kind, ...words] = test;
  return kind === "CMD-SHELL" ? ["/bin/sh", "-c", ...words] : words;
}

function milliseconds(nanoseconds: number, usual: number): number {
  return nanoseconds > 0 ? nanoseconds / 1e6 : usual;
}
