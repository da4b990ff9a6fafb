/** Whoever waits for a container to end or to be gone. */

import type { ContainerExit } from "../container-exit.ts";

interface Waiter {
  readonly condition: "exit" | "removed";
  readonly resolve: (exit: ContainerExit) => void;
}

export class ExitWaiters {
  readonly #waiters = new Set<Waiter>();

  /** The next of its kind. @throws the signal's reason when it is aborted */
  async next(
    condition: Waiter["condition"],
    { signal, onWaiting }: { readonly signal?: AbortSignal; readonly onWaiting?: () => void } = {},
  ): Promise<ContainerExit> {
    const { promise, resolve, reject } = Promise.withResolvers<ContainerExit>();
    const waiter = { condition, resolve };
    const abort = () => reject(signal?.reason);
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      onWaiting?.();
      signal?.throwIfAborted();
      return await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal?.removeEventListener("abort", abort);
    }
  }

  settle(condition: Waiter["condition"], exit: ContainerExit): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.condition === condition) waiter.resolve(exit);
    }
  }
}
