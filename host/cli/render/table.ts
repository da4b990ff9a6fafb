/** Tables as Docker prints them: columns padded to their widest cell and three blanks. */

import { printableText } from "../../printable-text.ts";

const GAP = 3;

/** @param rows as many cells as there are headers; what a terminal would obey is spelled out, in one line */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [headers, ...rows].map((row) => row.map(oneLine));
  const widths = headers.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + GAP),
        )
        .join(""),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** A cell may come from an image or a guest. */
function oneLine(cell: string): string {
  return printableText(cell).replace(/[\t\n]/g, " ");
}
