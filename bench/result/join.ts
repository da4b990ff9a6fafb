/** Several results of one machine as one: scenarios that were run with different numbers of rounds, on one page. */

import { differences } from "../environment.ts";
import { benchError } from "../errors.ts";
import type { ArmResult, BenchResult } from "./result.ts";

/**
 * @param results of a scenario that several of them have the last one counts; when, where and under which load is told of
 *   the first
 * @throws DvmError `NOT_COMPARABLE` for different machines or different lengths of a tool's run
 */
export function joinResults([first, ...others]: readonly [
  BenchResult,
  ...BenchResult[],
]): BenchResult {
  for (const { environment, seconds } of others) {
    const different = differences(first.environment, environment);
    if (seconds !== first.seconds) different.push(`--seconds: ${first.seconds} and ${seconds}`);
    if (different.length > 0)
      throw benchError("NOT_COMPARABLE", `results of different machines: ${different.join("; ")}`);
  }
  const all = [first, ...others];
  const scenarios = new Map(all.flatMap((each) => each.scenarios).map((each) => [each.name, each]));
  const arms = new Map<string, ArmResult>();
  for (const arm of all.flatMap((each) => each.arms)) {
    const known = arms.get(arm.name);
    // one that was not needed for some scenarios ran for others
    if (known === undefined || known.control === undefined) arms.set(arm.name, arm);
  }
  return { ...first, arms: [...arms.values()], scenarios: [...scenarios.values()] };
}
