/** A whole bench: which arms run here, the proof that they do, the scenarios in turn, one result. */

import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { probeHost } from "../host/vmm/probe.ts";
import { allArms } from "./arms/all-arms.ts";
import type { Arm, OpenArm } from "./arms/arm.ts";
import { runControl } from "./arms/control.ts";
import { describeEnvironment, describeMore } from "./environment.ts";
import { benchError } from "./errors.ts";
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
    if (ready.length === 0) throw benchError("NOTHING_RUNS", "none of these arms runs here");
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
          stage: (arm) => stageOf(arm, { opened, shared, options }),
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
  for (const name of [...baselines, ...backends])
    if (name !== NONE && !allArms.some((arm) => arm.name === name))
      throw benchError("UNKNOWN_ARM", `no baseline or backend: ${name}`);
  return allArms.filter(({ name, isolation }) => {
    const wanted = isolation === "vm" ? backends : baselines;
    return wanted.length === 0 || wanted.includes(name);
  });
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
}

function stageOf(arm: Arm, { opened, shared, options }: StageParts): Stage {
  return {
    arm,
    settings: options.settings,
    container: (image) => opened.open(arm, image),
    folder: shared,
    armFolder: (image) => opened.folderOf(arm, image),
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

  open(arm: Arm, image: string): Promise<OpenArm> {
    const folder = this.folderOf(arm, image);
    const known = this.#arms.get(folder);
    if (known !== undefined) return known;
    const opening = this.#make(arm, image, folder);
    this.#arms.set(folder, opening);
    return opening;
  }

  folderOf(arm: Arm, image: string): string {
    const key = `${arm.name} ${image}`;
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

  async #make(arm: Arm, image: string, folder: string): Promise<OpenArm> {
    const layout =
      image.includes(":") && !image.startsWith("oci:")
        ? image
        : `${await benchLayout(image, this.#say)}:latest`;
    await mkdir(folder);
    return await arm.open({ image: layout, folder });
  }
}

async function kvmVerdict(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm");
  const { kvm } = await probeHost({ cacheDirectory: cache });
  return kvm.usable ? "KVM runs Linux" : `no KVM for Linux: ${kvm.reason}`;
}
