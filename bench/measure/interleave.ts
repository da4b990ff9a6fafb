/** Measures several arms in turn, A B A B …, so that a drift of the machine's speed meets all alike. */

import { type Summary, summarise } from "./summary.ts";

export interface Arm {
  readonly name: string;
  /** does the work once and gives its measure */
  readonly once: () => Promise<number>;
}

export interface Comparison {
  readonly arms: readonly { readonly name: string; readonly summary: Summary }[];
  /** each later arm over the first, pair by pair */
  readonly ratios: readonly { readonly name: string; readonly summary: Summary }[];
}

/** @param runs counted rounds, after one warm-up round that is not */
export async function interleave(arms: readonly Arm[], runs: number): Promise<Comparison> {
  for (const arm of arms) await arm.once();
  const measured = arms.map((arm) => ({ name: arm.name, values: [] as number[] }));
  for (let round = 0; round < runs; round++) {
    for (const [index, arm] of arms.entries()) measured[index]?.values.push(await arm.once());
  }
  const base = measured[0]?.values ?? [];
  return {
    arms: measured.map(({ name, values }) => ({ name, summary: summarise(values) })),
    ratios: measured.slice(1).map(({ name, values }) => ({
      name,
      summary: summarise(values.map((value, round) => value / (base[round] ?? Number.NaN))),
    })),
  };
}
