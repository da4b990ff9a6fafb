/** Room beside the plot for the figures that stand at the right of their rows. */

/** Width of a bold character of a plot, at most, on average, in pixels. */
const CHARACTER = 8;
const GAP = 24;

/** @returns where the plot's frame ends so that the longest figure fits before `width` */
export function frameEnd(width: number, figures: readonly string[]): number {
  return width - GAP - CHARACTER * Math.max(6, ...figures.map((figure) => figure.length));
}
