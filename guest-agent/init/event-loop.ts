/** The agent's one thread: waits for descriptors and calls what watches them. */

import type { Fd, PollFd, Syscalls } from "../syscalls/syscalls.ts";

/** Called with the `POLL*` that a descriptor is ready for, POLLERR and POLLHUP among them. */
export type ReadyHandler = (revents: number) => void;

/** A descriptor that the loop looks at. */
export interface Watch {
  /** `POLL*` that are waited for; with 0 the descriptor is left out altogether */
  events: number;
  readonly fd: Fd;
}

interface Watched extends Watch {
  readonly onReady: ReadyHandler;
}

export class EventLoop {
  readonly #sys: Syscalls;
  readonly #watched = new Set<Watched>();

  constructor(sys: Syscalls) {
    this.#sys = sys;
  }

  /** Looks at `fd` from the next turn on; change `events` of what is returned at any time. */
  watch(fd: Fd, events: number, onReady: ReadyHandler): Watch {
    const watched: Watched = { fd, events, onReady };
    this.#watched.add(watched);
    return watched;
  }

  /** Before the descriptor is closed. */
  unwatch(watch: Watch): void {
    this.#watched.delete(watch as Watched);
  }

  /**
   * Waits once, and calls the watches of the descriptors that are ready.
   *
   * @param timeout in `milliseconds`; absent: as long as it takes
   */
  turn(timeout?: number): void {
    // A watch that waits for nothing is left out: poll would report POLLHUP of it for ever.
    const watched: Watched[] = [];
    const fds: PollFd[] = [];
    for (const watch of this.#watched) {
      if (watch.events === 0) continue;
      watched.push(watch);
      fds.push({ fd: watch.fd, events: watch.events });
    }
    const revents = this.#sys.poll(fds, timeout);
    for (let index = 0; index < watched.length; index++) {
      const ready = revents[index] ?? 0;
      const watch = watched[index];
      if (ready === 0 || watch === undefined) continue;
      // An earlier handler of this turn may have taken the watch away, its number may be another file by now.
      if (watch.events !== 0 && this.#watched.has(watch)) watch.onReady(ready);
    }
  }
}
