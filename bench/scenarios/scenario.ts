/** What a scenario is: what it measures, in which unit, how, and how one round of it is done by one arm. */

import type { Arm, OpenArm } from "../arms/arm.ts";
import type { MachineSource } from "../arms/machine-source.ts";

export interface Metric {
  /** short name, unique in its scenario, such as `first-byte` */
  readonly name: string;
  /** noun phrase for tables and plots */
  readonly title: string;
  readonly unit: string;
  /** which way is good; `neither`: a count that is reported as it is */
  readonly better: "lower" | "higher" | "neither";
  /** how it is taken, one sentence */
  readonly how: string;
  /** for a family of measures, named `NAME:ITEM`: what its items are, such as `phase` */
  readonly items?: string;
}

/** Measures of one round, by the metrics' names. A metric that the arm has not is left out. */
export type Measures = Readonly<Record<string, number>>;

export interface Scenario {
  /** what the command line calls it */
  readonly name: string;
  readonly title: string;
  /** what the figures answer, one sentence */
  readonly question: string;
  readonly metrics: readonly Metric[];
  /** programs that the image must have */
  readonly tools: readonly string[];
  /** counted rounds unless the user says how many */
  readonly rounds: number;
  /** whether it runs when no scenario is named; else only by its name */
  readonly usual: boolean;
  /** whether a round comes first that is not counted; so unless it says no */
  readonly warmUp?: boolean;
  /** which arms it is for */
  readonly arms: "all" | "dvm";
  /** which sources of machines are told apart, each as an arm of its own; absent: one, clones */
  readonly sources?: readonly MachineSource[];
  /**
   * Makes an arm ready for rounds.
   *
   * @throws Lacking when this arm cannot do it, with the reason
   */
  readonly open: (stage: Stage) => Promise<Session>;
}

/** What a scenario may use. */
export interface Stage {
  readonly arm: Arm;
  /** where the machines of its containers come from; absent: not told apart */
  readonly source?: MachineSource;
  readonly settings: Settings;
  /** the arm with an image, made ready once for the whole bench: `bench`, `busybox`, `FOLDER:TAG` of a layout */
  readonly container: (image: string) => Promise<OpenArm>;
  /** folder that all arms of the scenario share, and that goes with it */
  readonly folder: string;
  /** folder that stands in the command lines of this arm's processes */
  readonly armFolder: (image: string) => string;
  /** a name for a container that no other has */
  readonly newName: () => string;
  readonly say: (text: string) => void;
}

export interface Settings {
  /** length of one run of a tool that runs for a time, in `seconds` */
  readonly seconds: number;
  /** image in place of the scenarios' own */
  readonly image?: string;
  /** numbers of containers at once, for scenarios that raise it */
  readonly counts: readonly number[];
}

export interface Session extends AsyncDisposable {
  readonly once: () => Promise<Measures>;
}

/** A session with nothing to clean up. */
export function plainSession(once: () => Promise<Measures>): Session {
  return { once, [Symbol.asyncDispose]: async () => {} };
}
