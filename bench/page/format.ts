/** Numbers as people read them. */

/** Three figures that count, with thousands set apart by a thin space. */
export function formatValue(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1000) return String(value);
  const size = Math.abs(value);
  if (size >= 1000) return grouped(Math.round(value));
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

export function formatRatio(value: number): string {
  return `${formatValue(value)}×`;
}

/** Short, for the ticks of an axis. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const)
    if (size >= unit) return `${trim(value / unit)} ${letter}`;
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
}
