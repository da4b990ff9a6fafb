/** The device thread: one poll(2) over all descriptors of all devices, and their timers. */

import type { Watch } from "../devices/virtio/device.ts";
import { EINTR, type Mapping, type System, SystemCallError } from "./system.ts";

/** struct pollfd of poll.h: fd, events, revents */
const POLLFD_SIZE = 8;
const DESCRIPTORS_LIMIT = 512;

interface Entry extends Watch {
  readonly fd: number;
  readonly handler: (events: number) => void;
  stopped: boolean;
}

interface Timer {
  /** monotonic time, in `milliseconds` */
  readonly at: number;
  readonly handler: () => void;
}

export class EventLoop {
  readonly #system: System;
  readonly #array: Mapping;
  readonly #view: DataView;
  #entries: Entry[] = [];
  #timers: Timer[] = [];
  #running = true;

  constructor(system: System) {
    this.#system = system;
    this.#array = system.map(DESCRIPTORS_LIMIT * POLLFD_SIZE);
    this.#view = new DataView(this.#array.bytes);
  }

  /** Calls `handler` with the poll bits whenever `fd` is ready for the `events` that the result asks for. */
  watch(fd: number, handler: (events: number) => void): Watch {
    if (this.#entries.length >= DESCRIPTORS_LIMIT) throw new RangeError("too many descriptors");
    const entry: Entry = {
      fd,
      handler,
      events: 0,
      stopped: false,
      stop: () => {
        entry.stopped = true;
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
    this.#entries = [...this.#entries, entry];
    return entry;
  }

  timer(at: number, handler: () => void): void {
    this.#timers.push({ at, handler });
  }

  /** Serves everything until `stop` is called. */
  run(): void {
    while (this.#running) this.turn(this.#patience());
  }

  stop(): void {
    this.#running = false;
  }

  /** Waits up to `milliseconds` (-1: for ever) and serves what is ready; how many descriptors that were. */
  turn(milliseconds: number): number {
    const entries = this.#entries.filter(({ events }) => events !== 0);
    for (const [index, { fd, events }] of entries.entries()) {
      this.#view.setInt32(index * POLLFD_SIZE, fd, true);
      this.#view.setInt32(index * POLLFD_SIZE + 4, events, true); // and revents, above, zero
    }
    const ready = this.#system.poll(this.#array.address, entries.length, milliseconds);
    if (ready < 0 && ready !== -EINTR) throw new SystemCallError("poll", -ready);
    if (ready > 0) this.#dispatch(entries);
    this.#runTimers();
    return ready;
  }

  #dispatch(entries: readonly Entry[]): void {
    const occurred = entries.map((_, index) => this.#view.getUint16(index * POLLFD_SIZE + 6, true));
    for (const [index, entry] of entries.entries()) {
      const events = occurred[index] ?? 0;
      if (events !== 0 && !entry.stopped) entry.handler(events);
    }
  }

  #runTimers(): void {
    if (this.#timers.length === 0) return;
    const now = this.#system.now();
    const due = this.#timers.filter(({ at }) => at <= now);
    this.#timers = this.#timers.filter(({ at }) => at > now);
    for (const { handler } of due) handler();
  }

  /** How long nothing is due, in `milliseconds`. */
  #patience(): number {
    if (this.#timers.length === 0) return -1;
    const next = Math.min(...this.#timers.map(({ at }) => at));
    return Math.max(0, Math.ceil(next - this.#system.now()));
  }
}
