/**
 * Of which shapes a pool keeps how many spares: those of the last starts, as often as they came. It remembers twice as many
 * starts as it keeps spares: where shapes take turns, what is there stays, and none is made only to be thrown away.
 */

export class PoolPlan<Shape> {
  readonly #size: number;
  /** of the last starts, the newest first */
  readonly #recent: { readonly key: string; readonly shape: Shape }[] = [];

  /** @param size spares altogether */
  constructor(size: number) {
    this.#size = size;
  }

  /** A start. @param shape the newest of a key counts */
  note(key: string, shape: Shape): void {
    this.#recent.unshift({ key, shape });
    this.#recent.splice(2 * this.#size);
  }

  /** A shape that none will be kept of any more. */
  forget(key: string): void {
    const rest = this.#recent.filter((each) => each.key !== key);
    this.#recent.splice(0, this.#recent.length, ...rest);
  }

  /** The next one to make, for starts in the order of their age. @param has keys of those that there are */
  next(has: readonly string[]): { readonly key: string; readonly shape: Shape } | undefined {
    if (has.length >= this.#size) return undefined;
    const left = [...has];
    return this.#recent.find(({ key }) => !takeOne(left, key));
  }

  /** Those of `has` for which there is no start that is remembered, as indices. */
  surplus(has: readonly string[]): number[] {
    const wanted = this.#recent.map(({ key }) => key);
    return has.flatMap((key, index) => (takeOne(wanted, key) ? [] : [index]));
  }
}

function takeOne(keys: string[], key: string): boolean {
  const at = keys.indexOf(key);
  if (at >= 0) keys.splice(at, 1);
  return at >= 0;
}
