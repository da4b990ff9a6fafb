/** Names of taps of machines that wait for containers: made before it is known which network they will be in. */

/** What the names of spare taps begin with; no other device of ours does. */
const PREFIX = "dvmp";

/** A name for the tap of a spare machine. @param unique eight hexadecimal digits and the card's place */
export function spareTapName(unique: string, place: number): string {
  return `${PREFIX}${unique}${place}`;
}
