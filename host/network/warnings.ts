/** What goes wrong in the background, where no caller hears of it, for whoever listens in this process. */

type Listener = (text: string) => void;

class Warnings {
  readonly #listeners = new Set<Listener>();

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  report(text: string): void {
    for (const listener of this.#listeners) listener(text);
  }
}

/** Those of this process. */
export const warnings = new Warnings();
