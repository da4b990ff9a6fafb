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

class Watched implements Watch {
  readonly fd: Fd;
  readonly onReady: ReadyHandler;
  readonly #onChange: () => void;
  #asPolled: PollFd;

  constructor(watch: Watch, onReady: ReadyHandler, onChange: () => void) {
    this.fd = watch.fd;
    this.onReady = onReady;
    this.#asPolled = { fd: watch.fd, events: watch.events };
    this.#onChange = onChange;
  }

  get asPolled(): PollFd {
    return this.#asPolled;
  }

  get events(): number {
    return this.#asPolled.events;
  }

  set events(events: number) {
    if (events === this.#asPolled.events) return;
    this.#asPolled = { fd: this.fd, events };
    this.#onChange();
  }
}

/** What a turn waits for, until something of it changes. */
interface Waiting {
  readonly watched: readonly Watched[];
  /** the same list as long as nothing changes, which spares the way to the kernel */
  readonly fds: readonly PollFd[];
}

export class EventLoop {
  readonly #sys: Syscalls;
  readonly #watched = new Set<Watched>();
  #waiting: Waiting | undefined;

  constructor(sys: Syscalls) {
    this.#sys = sys;
  }

  /** Looks at `fd` from the next turn on; change `events` of what is returned at any time. */
  watch(fd: Fd, events: number, onReady: ReadyHandler): Watch {
    const watched = new Watched({ fd, events }, onReady, () => this.#changed());
    this.#watched.add(watched);
    this.#changed();
    return watched;
  }

  /** Before the descriptor is closed. */
  unwatch(watch: Watch): void {
    this.#watched.delete(watch as Watched);
    this.#changed();
  }

  /**
   * Waits once, and calls the watches of the descriptors that are ready.
   *
   * @param timeout in `milliseconds`; absent: as long as it takes
   */
  turn(timeout?: number): void {
    this.#waiting ??= this.#wait();
    const { watched, fds } = this.#waiting;
    const revents = this.#sys.poll(fds, timeout);
    for (let index = 0; index < revents.length; index++) {
      const ready = revents[index] ?? 0;
      const watch = watched[index];
      if (ready === 0 || watch === undefined) continue;
      // An earlier handler of this turn may have taken the watch away, its number may be another file by now.
      if (watch.events !== 0 && this.#watched.has(watch)) watch.onReady(ready);
    }
  }

  #changed(): void {
    this.#waiting = undefined;
  }

  /**
   * A watch that waits for nothing is left out: poll would report POLLHUP of it for ever. A stream that has no room
   * changes this twice for each of its pieces, and calling a function for each watch takes QuickJS five times as long.
   */
  #wait(): Waiting {
    const watched: Watched[] = [];
    const fds: PollFd[] = [];
    for (const each of this.#watched) {
      if (each.events === 0) continue;
      watched.push(each);
      fds.push(each.asPolled);
    }
    return { watched, fds };
  }
}
