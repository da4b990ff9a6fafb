/** A whole bench: which arms run here, the proof that they do, the scenarios in turn, one result. */

import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { probeHost } from "../host/vmm/probe.ts";
import { allArms } from "./arms/all-arms.ts";
import type { Arm, OpenArm, OpenOptions } from "./arms/arm.ts";
import { runControl } from "./arms/control.ts";
import type { MachineSource } from "./arms/machine-source.ts";
import { describeEnvironment, describeMore } from "./environment.ts";
import { benchError } from "./errors.ts";
import { freshCommandLine } from "./fresh-command-line.ts";
import { benchLayout } from "./image/bench-layout.ts";
import { runScenario } from "./measure/run-scenario.ts";
import { type ArmResult, type BenchResult, RESULT_VERSION } from "./result/result.ts";
import { chooseScenarios } from "./scenarios/all-scenarios.ts";
import type { Scenario, Settings, Stage } from "./scenarios/scenario.ts";

export interface BenchOptions {
  readonly scenarios: readonly string[];
  /** names of arms beside dvm's, or `none`; empty: all */
  readonly baselines: readonly string[];
  /** names of dvm's arms, or `none`; empty: all */
  readonly backends: readonly string[];
  /** counted rounds; absent: as many as each scenario has for its own */
  readonly runs?: number;
  readonly settings: Settings;
  /** ends the bench between two rounds of an arm */
  readonly signal?: AbortSignal;
  /** is told what goes on, a line at a time */
  readonly say: (text: string) => void;
}

/** Before each turn of an arm, in `milliseconds`. */
const REST = 200;

/** @throws DvmError when nothing of what was asked for can run */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const scenarios = chooseScenarios(options.scenarios);
  const chosen = chooseArms(options);
  await freshCommandLine(options.say);
  // in small letters: podman takes the path of a layout for the name of an image
  const folder = join(tmpdir(), `dvm-bench-${randomBytes(4).toString("hex")}`);
  await mkdir(folder, { mode: 0o700 });
  const opened = new OpenedArms(folder, options.say);
  try {
    const environment = {
      ...(await describeEnvironment()),
      ...(await describeMore(folder, await kvmVerdict())),
    };
    const arms: ArmResult[] = [];
    const ready: Arm[] = [];
    for (const arm of chosen) {
      const result = await admit(arm, opened, {
        image: options.settings.image ?? "busybox",
        scenarios,
      });
      if (result.refusal === undefined) ready.push(arm);
      else options.say(`${arm.name}: ${result.refusal}`);
      arms.push(result);
    }
    checkReady(options, arms);
    const results = [];
    for (const scenario of scenarios) {
      const shared = join(folder, scenario.name);
      await mkdir(shared);
      results.push(
        await runScenario(scenario, {
          arms:
            scenario.arms === "all" ? ready : ready.filter(({ isolation }) => isolation === "vm"),
          rounds: options.runs ?? scenario.rounds,
          image: options.settings.image ?? "",
          rest: REST,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
          stage: (arm, source) => stageOf(arm, { opened, shared, options, source }),
          say: options.say,
        }),
      );
    }
    const { seconds } = options.settings;
    return { version: RESULT_VERSION, environment, seconds, arms, scenarios: results };
  } finally {
    // what cannot be cleaned up is no reason to lose what was measured
    try {
      await opened.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      options.say(`left behind: ${folder}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** A name that stands for no arm: `--baseline none` measures dvm alone. */
const NONE = "none";

/** @throws DvmError `UNKNOWN_ARM` */
function chooseArms({ baselines, backends }: BenchOptions): readonly Arm[] {
  for (const word of [...baselines, ...backends])
    if (word !== NONE && !allArms.some((arm) => isCalled(arm, word)))
      throw benchError("UNKNOWN_ARM", `no baseline or backend: ${word}`);
  return allArms.filter((arm) => {
    const wanted = arm.isolation === "vm" ? backends : baselines;
    return wanted.length === 0 || wanted.some((word) => isCalled(arm, word));
  });
}

/** By its name, or for dvm's own by the backend's: `kvm`, `qemu`, `qemu-tcg`. */
function isCalled({ name, isolation }: Arm, word: string): boolean {
  return name === word || (isolation === "vm" && `${name}-`.startsWith(`dvm-${word}-`));
}

/**
 * Nothing is measured when nothing can be, nor when none of the backends runs that were asked for by name.
 *
 * @throws DvmError `NOTHING_RUNS` with the reasons
 */
function checkReady({ backends }: BenchOptions, arms: readonly ArmResult[]): void {
  const asked = backends.some((word) => word !== NONE);
  const needed = arms.filter(({ isolation }) => !asked || isolation === "vm");
  if (needed.some(({ refusal }) => refusal === undefined)) return;
  const reasons = needed.map(({ name, refusal }) => `${name}: ${refusal}`);
  throw benchError("NOTHING_RUNS", `none of these runs here: ${reasons.join("; ")}`);
}

/** Whether the arm can run, and the proof that it runs where it says. */
async function admit(
  arm: Arm,
  opened: OpenedArms,
  { image, scenarios }: { readonly image: string; readonly scenarios: readonly Scenario[] },
): Promise<ArmResult> {
  const { name, title, isolation, how } = arm;
  const described = { name, title, isolation, how };
  const needed = isolation === "vm" || scenarios.some((scenario) => scenario.arms === "all");
  if (!needed) return { ...described, refusal: "none of these scenarios is for it" };
  try {
    const refusal = await arm.refusal();
    if (refusal !== undefined) return { ...described, refusal };
    const control = await runControl(arm, await opened.open(arm, image), opened.newName());
    return { ...described, control };
  } catch (error) {
    return { ...described, refusal: error instanceof Error ? error.message : String(error) };
  }
}

interface StageParts {
  readonly opened: OpenedArms;
  readonly shared: string;
  readonly options: BenchOptions;
  readonly source: MachineSource | undefined;
}

function stageOf(arm: Arm, { opened, shared, options, source }: StageParts): Stage {
  return {
    arm,
    ...(source && { source }),
    settings: options.settings,
    container: (image) => opened.open(arm, image, source),
    folder: shared,
    armFolder: (image) => opened.folderOf(arm, image, source),
    newName: () => opened.newName(),
    say: options.say,
  };
}

/** Arms with their images, each made ready once and closed with the bench. */
class OpenedArms {
  readonly #folder: string;
  readonly #say: (text: string) => void;
  readonly #arms = new Map<string, Promise<OpenArm>>();
  readonly #folders = new Map<string, string>();
  #names = 0;

  constructor(folder: string, say: (text: string) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  newName(): string {
    return `bench-${process.pid}-${++this.#names}`;
  }

  open(arm: Arm, image: string, source?: MachineSource): Promise<OpenArm> {
    const folder = this.folderOf(arm, image, source);
    const known = this.#arms.get(folder);
    if (known !== undefined) return known;
    const opening = this.#make(arm, { image, folder, ...(source && { source }) });
    this.#arms.set(folder, opening);
    return opening;
  }

  folderOf(arm: Arm, image: string, source: MachineSource | undefined): string {
    // an arm whose sources are not told apart has clones: one store serves both
    const key = [arm.name, image, source ?? "clone"].join(" ");
    const known = this.#folders.get(key) ?? `${this.#folders.size + 1}`;
    this.#folders.set(key, known);
    // short: podman takes no more than 50 characters, and a socket's path ends at 107
    return join(this.#folder, known);
  }

  /** Closes all, whichever of them fails. @throws AggregateError */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(
      [...this.#arms.values()].map(async (opening) => {
        const arm = await opening.catch(() => undefined);
        await arm?.[Symbol.asyncDispose]();
      }),
    );
    const errors = closed.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join("; "));
  }

  async #make(arm: Arm, { image, ...rest }: OpenOptions): Promise<OpenArm> {
    const layout =
      image.includes(":") && !image.startsWith("oci:")
        ? image
        : `${await benchLayout(image, this.#say)}:latest`;
    await mkdir(rest.folder);
    return await arm.open({ image: layout, ...rest });
  }
}

async function kvmVerdict(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm");
  const { kvm } = await probeHost({ cacheDirectory: cache });
  return kvm.usable ? "KVM runs Linux" : `no KVM for Linux: ${kvm.reason}`;
}
