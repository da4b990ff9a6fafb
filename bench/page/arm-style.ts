/** How arms look: one colour each, the same in every plot of a page. */

import { splitVariant } from "../arms/machine-source.ts";
import type { ArmResult } from "../result/result.ts";

export interface ArmStyle {
  /** class of the style sheet */
  readonly classOf: (arm: string) => string;
  /** name in words */
  readonly titleOf: (arm: string) => string;
}

/** Colours that the style sheet has for each kind. */
const COLOURS = 5;

export function armStyle(arms: readonly ArmResult[]): ArmStyle {
  const classes = new Map<string, string>();
  const counts = { namespaces: 0, vm: 0 };
  for (const { name, isolation } of arms)
    classes.set(name, `${isolation}-${(counts[isolation]++ % COLOURS) + 1}`);
  return {
    classOf: (name) => classes.get(splitVariant(name).arm) ?? "vm-1",
    titleOf: (full) => {
      const { arm, rest } = splitVariant(full);
      return `${arms.find(({ name }) => name === arm)?.title ?? arm}${rest}`;
    },
  };
}
