/** Shows a hostile path in an error message: quoted, without control characters, cut where it is long. */

const MAX_SHOWN = 120;

/** Quotes a binary string for a message. */
export function printable(path: string): string {
  const text = Buffer.from(path.slice(0, MAX_SHOWN), "latin1").toString("utf8");
  return JSON.stringify(path.length > MAX_SHOWN ? `${text}…` : text);
}
