/** A console port bridged to a unix socket, one connection at a time; each side waits when the other does. */

import { check, EAGAIN, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { Chain } from "./chain.ts";
import type { ConsolePort, PortQueues } from "./console.ts";
import { type DeviceHost, POLLIN, POLLOUT, type Watch } from "./device.ts";

/** The most that one readv or writev moves, in `bytes`: one busy port must not starve the others. */
const TRANSFER_LIMIT = 256 * 1024;

export interface ConsoleSocketOptions {
  /** name of the port in the guest */
  readonly name: string;
  /** a listening, non-blocking socket */
  readonly listener: number;
  /** called whenever a program in the guest opens the port */
  readonly onGuestOpen: () => void;
}

interface Connection {
  readonly fd: number;
  readonly watch: Watch;
}

export class ConsoleSocketPort implements ConsolePort {
  readonly name: string;
  readonly #system: System;
  readonly #options: ConsoleSocketOptions;
  readonly #vector: IoVector;
  #host: DeviceHost | undefined;
  #opened: () => void = () => {};
  #connection: Connection | undefined;
  #queues: PortQueues | undefined;
  /** a chain of the guest that the socket has not taken whole */
  #output: Chain | undefined;
  /** how much of it has been taken, in `bytes` */
  #sent = 0;
  /** whether the guest has closed the port, and the connection ends with what it wrote */
  #closing = false;
  /** a buffer of the guest that waits for data */
  #input: Chain | undefined;

  constructor(system: System, options: ConsoleSocketOptions) {
    this.name = options.name;
    this.#system = system;
    this.#options = options;
    this.#vector = new IoVector(system);
  }

  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  get isBusy(): boolean {
    return this.#output !== undefined;
  }

  attach(host: DeviceHost, opened: () => void): void {
    this.#host = host;
    this.#opened = opened;
    host.watch(this.#options.listener, () => this.#accept()).events = POLLIN;
  }

  guestOpened(): void {
    this.#closing = false;
    this.#options.onGuestOpen();
  }

  guestClosed(): void {
    this.#closing = true;
  }

  reset(): void {
    this.#queues = undefined;
    this.#output = undefined;
    this.#input = undefined;
    if (this.#connection !== undefined) this.#connection.watch.events = 0;
  }

  pump(queues: PortQueues): void {
    this.#queues = queues;
    this.#ready();
  }

  /** Takes a new connection; it replaces an old one, whose owner has gone or is to go. */
  #accept(): void {
    const fd = this.#system.accept(this.#options.listener);
    if (fd < 0 || this.#host === undefined) return;
    this.#disconnect();
    this.#connection = { fd, watch: this.#host.watch(fd, () => this.#ready()) };
    this.#opened();
  }

  #ready(): void {
    this.#transmit();
    this.#receive();
  }

  #disconnect(): void {
    if (this.#connection === undefined) return;
    this.#connection.watch.stop();
    check("close", this.#system.close(this.#connection.fd));
    this.#connection = undefined;
    if (this.#output !== undefined) this.#queues?.output.push(this.#output.head, 0);
    this.#output = undefined;
    this.#opened();
  }

  #transmit(): void {
    const output = this.#queues?.output;
    while (output !== undefined && this.#connection !== undefined) {
      if (this.#output === undefined) {
        this.#output = output.pop();
        this.#sent = 0;
      }
      const chain = this.#output;
      if (chain === undefined) break;
      if (this.#sent < chain.readable.length && !this.#send(this.#connection, chain)) break;
      if (this.#sent < chain.readable.length) continue;
      this.#output = undefined;
      output.push(chain.head, 0);
    }
    output?.notify();
    if (this.#closing && this.#output === undefined) this.#disconnect();
    this.#want(POLLOUT, this.#output !== undefined);
  }

  /** False when the socket takes no more for now. */
  #send({ fd }: Connection, { readable }: Chain): boolean {
    readable.fill(this.#vector, this.#sent, TRANSFER_LIMIT);
    const written = this.#system.writev(fd, this.#vector.address, this.#vector.count);
    if (written === -EAGAIN) return false;
    if (written < 0) {
      this.#disconnect();
      return false;
    }
    this.#sent += written;
    return true;
  }

  #receive(): void {
    const input = this.#queues?.input;
    while (input !== undefined && this.#connection !== undefined) {
      this.#input ??= input.pop();
      if (this.#input === undefined) break;
      const { head, writable } = this.#input;
      writable.fill(this.#vector, 0, TRANSFER_LIMIT);
      const { address, count, length } = this.#vector;
      const read = length === 0 ? 0 : this.#system.readv(this.#connection.fd, address, count);
      if (read === -EAGAIN) break;
      if (read <= 0 && length > 0) {
        this.#disconnect();
        break;
      }
      this.#input = undefined;
      input.push(head, read);
    }
    input?.notify();
    // Without a buffer to fill, what the host sends stays in the socket, and the sender waits.
    this.#want(POLLIN, this.#input !== undefined);
  }

  #want(events: number, wanted: boolean): void {
    const watch = this.#connection?.watch;
    if (watch === undefined) return;
    watch.events = wanted ? watch.events | events : watch.events & ~events;
  }
}
