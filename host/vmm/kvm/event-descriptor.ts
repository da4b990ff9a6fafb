/** An eventfd(2): a counter that one side raises and the other waits for and clears. */

import { check, type HostAddress, type System } from "./system.ts";

const COUNTER_SIZE = 8;

export class EventDescriptor {
  readonly fd: number;
  readonly #system: System;
  readonly #one: HostAddress;
  readonly #scratch: HostAddress;

  /** @param fd an existing descriptor of another thread, or none to make one */
  constructor(system: System, fd: number = check("eventfd", system.eventfd())) {
    this.fd = fd;
    this.#system = system;
    const { address, bytes } = system.map(2 * COUNTER_SIZE);
    new DataView(bytes).setUint32(0, 1, true);
    this.#one = address;
    this.#scratch = (address + COUNTER_SIZE) as HostAddress;
  }

  signal(): void {
    this.#system.write(this.fd, this.#one, COUNTER_SIZE);
  }

  clear(): void {
    this.#system.read(this.fd, this.#scratch, COUNTER_SIZE);
  }
}
