/** Tables as Docker prints them: columns padded to their widest cell and three blanks. */

const GAP = 3;

/** @param rows cells without line breaks, as many as there are headers */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [headers, ...rows];
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
