/** Rows in the forms of `--format`: a table, a table of one's own, JSON lines, or a template for each. */

import { renderTable } from "./table.ts";
import { parseTemplate, templateHeaders } from "./template.ts";

export interface RowsOptions {
  /** value of --format */
  readonly format: string | undefined;
  /** the usual table's template, `table` in front and tabs between columns */
  readonly table: string;
  /** headers by field */
  readonly titles: Readonly<Record<string, string>>;
}

/** @throws DvmError `USAGE` for a template that cannot be read */
export function renderRows(
  rows: readonly Readonly<Record<string, unknown>>[],
  { format, table, titles }: RowsOptions,
): string {
  const chosen = format === undefined || format === "table" ? table : format;
  if (chosen === "json") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const isTable = /^table\s/.test(chosen);
  const text = isTable ? chosen.replace(/^table\s+/, "") : chosen;
  const template = parseTemplate(text);
  const lines = rows.map((row) => template(row));
  if (!isTable) return lines.map((line) => `${line}\n`).join("");
  return renderTable(
    templateHeaders(text, titles).split("\t"),
    lines.map((line) => line.split("\t")),
  );
}
