/** The text of `dvm doctor`. */

import type { Report } from "../../doctor/examine.ts";

export function renderChecks(report: Report): string {
  const widest = Math.max(0, ...report.checks.map(({ name }) => name.length));
  const indent = " ".repeat(6 + widest + 2);
  const lines = report.checks.flatMap(({ name, status, detail, mend }) => [
    `${status.padEnd(6)}${name.padEnd(widest)}  ${detail}`,
    ...(mend === undefined ? [] : [`${indent}mend: ${mend}`]),
  ]);
  const count = (wanted: string) => report.checks.filter(({ status }) => status === wanted).length;
  const summary = `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} failed`;
  return `${lines.join("\n")}\n\n${summary}\n`;
}
