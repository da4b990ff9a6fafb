/** SPECIFICATION.md as data: the table of promises, read from the document itself. */

import { benchError } from "../errors.ts";

export interface Promised {
  /** the promise in words */
  readonly promise: string;
  readonly bound: "at most" | "at least";
  readonly value: number;
  /** unit of the value; `×` for a ratio */
  readonly unit: string;
  /** what measures it: a scenario of `dvm bench`, or a bench of its own */
  readonly scenario: string;
  readonly metric: string;
  readonly arm: string;
  /** the arm beneath: of a ratio, when the unit is `×`, else of a difference */
  readonly over?: string;
}

const COLUMNS = ["promise", "bound", "scenario", "metric", "arm", "over"];

/** @throws DvmError `BAD_SPECIFICATION` naming the row that cannot be read */
export function readSpecification(markdown: string): readonly Promised[] {
  const rows = markdown
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf("|"))
        .split("|")
        .map((cell) => cell.trim()),
    );
  const start = rows.findIndex((row) => COLUMNS.every((name, n) => row[n] === name));
  if (start < 0)
    throw benchError("BAD_SPECIFICATION", `no table with the columns ${COLUMNS.join(", ")}`);
  return rows
    .slice(start + 1)
    .filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell)))
    .map(readRow);
}

function readRow(row: readonly string[]): Promised {
  const [promise = "", boundText = "", ...places] = row;
  const found = /^(at most|at least) ([0-9]+(?:\.[0-9]+)?) ?(\S.*)$/.exec(boundText);
  const [scenario = "", metric = "", arm = "", over = ""] = places.map((cell) =>
    cell.replaceAll("`", ""),
  );
  const complete = row.length === COLUMNS.length && promise !== "" && scenario !== "";
  if (found === null || !complete)
    throw benchError("BAD_SPECIFICATION", `a row that cannot be read: ${row.join(" | ")}`);
  const [, bound, value, unit = ""] = found;
  return {
    promise,
    bound: bound === "at most" ? "at most" : "at least",
    value: Number(value),
    unit,
    scenario,
    metric,
    arm,
    ...(over === "" ? {} : { over }),
  };
}
