/** Shows a comparison and keeps it as versioned JSON in bench/results. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Comparison } from "./measure/interleave.ts";
import type { Summary } from "./measure/summary.ts";
import type { Environment } from "./result/result.ts";

/** Version of the result files. */
const RESULT_VERSION = 1;

export interface Result extends Comparison {
  readonly environment: Environment;
  /** unit of the arms' figures */
  readonly unit: string;
}

export async function report(name: string, result: Result): Promise<void> {
  const { environment } = result;
  const lines = [
    `${name}: ${environment.cpu}, ${environment.cpus} CPUs, Linux ${environment.kernel}, ${environment.qemu}, load ${environment.load}`,
    ...result.arms.map((arm) => row(arm.name, arm.summary, result.unit)),
    ...result.ratios.map((ratio) => row(`${ratio.name}, over the first`, ratio.summary, "")),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  for (const { name: arm, summary } of [...result.arms, ...result.ratios])
    if (!Object.values(summary).every(Number.isFinite))
      throw new Error(`${name}: ${arm}: a measurement is no number, so nothing is kept`);
  const folder = join(import.meta.dirname, "results");
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}-${environment.date.replaceAll(":", "")}.json`);
  await writeFile(
    path,
    `${JSON.stringify({ version: RESULT_VERSION, name, ...result }, null, 2)}\n`,
  );
}

function row(name: string, { n, min, median, p99 }: Summary, unit: string): string {
  const figures = [min, median, p99].map((value) => value.toPrecision(4).padStart(9));
  return `  ${name.padEnd(60)} n ${n}  min ${figures[0]}  median ${figures[1]}  p99 ${figures[2]} ${unit}`;
}
