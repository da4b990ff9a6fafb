/** A split virtqueue, device side (virtio 1.2 §2.7), over guest memory that the driver may change at any time. */

import type { GuestMemory, Location } from "../../memory/guest-memory.ts";
import { Chain, DESCRIPTOR_SIZE, RingError } from "./chain.ts";

// Ring layouts, §2.7.6 and §2.7.8: flags, index, then the elements and one event index.
const RING_HEADER = 4;
const RING_INDEX = 2;
const AVAIL_ELEMENT = 2;
const USED_ELEMENT = 8;
const RING_EVENT = 2;
const VRING_AVAIL_F_NO_INTERRUPT = 1;

const INDEX_MASK = 0xffff;

export interface QueueConfig {
  /** number of descriptors, a power of two */
  readonly size: number;
  /** guest address of the descriptor table, aligned to 16 bytes */
  readonly descriptors: number;
  /** guest address of the available ring, aligned to 2 bytes */
  readonly available: number;
  /** guest address of the used ring, aligned to 4 bytes */
  readonly used: number;
  /** whether VIRTIO_RING_F_EVENT_IDX was negotiated */
  readonly eventIndex: boolean;
  /** whether a device served it before, up to what the used ring says; else it begins at 0 */
  readonly resumed?: boolean;
}

export class Virtqueue {
  readonly size: number;
  readonly #descriptors: Location;
  readonly #available: Location;
  readonly #used: Location;
  readonly #eventIndex: boolean;
  readonly #interrupt: () => void;
  readonly #chain: Chain;
  /** index of the next available element that we look at; 16 bits wide, as all ring indices */
  #nextAvailable = 0;
  /** index of the next used element that we write */
  #nextUsed = 0;
  /** `#nextUsed` when we last thought about interrupting */
  #signalled = 0;

  /**
   * @param interrupt raises the queue's interrupt
   * @throws {RingError} on a size or alignment that the specification forbids
   * @throws {GuestAddressError} when a ring is not in guest memory
   */
  constructor(memory: GuestMemory, config: QueueConfig, interrupt: () => void) {
    const { size, descriptors, available, used, eventIndex } = config;
    if (size < 1 || size > 32768 || (size & (size - 1)) !== 0) {
      throw new RingError(`queue size ${size}`);
    }
    if (descriptors % 16 !== 0 || available % 2 !== 0 || used % 4 !== 0) {
      throw new RingError("misaligned ring");
    }
    this.size = size;
    this.#descriptors = memory.locate(descriptors, size * DESCRIPTOR_SIZE);
    const availableSize = RING_HEADER + size * AVAIL_ELEMENT + RING_EVENT;
    this.#available = memory.locate(available, availableSize);
    this.#used = memory.locate(used, RING_HEADER + size * USED_ELEMENT + RING_EVENT);
    this.#eventIndex = eventIndex;
    this.#interrupt = interrupt;
    this.#chain = new Chain(memory, size);
    if (config.resumed === true) this.#resume();
  }

  /**
   * Takes the next available chain; undefined when there is none, and then the driver will kick for the
   * next. The chain is valid until the next call.
   *
   * @throws {RingError | GuestAddressError} on a ring or a chain that breaks the rules
   */
  pop(): Chain | undefined {
    if (!this.#hasAvailable()) return undefined;
    const slot = this.#nextAvailable % this.size;
    const head = word(this.#available, RING_HEADER + slot * AVAIL_ELEMENT);
    this.#nextAvailable = (this.#nextAvailable + 1) & INDEX_MASK;
    this.#chain.load(this.#descriptors, head);
    return this.#chain;
  }

  /**
   * Takes and returns the chains that are there; `handle` says how many bytes it has put in.
   *
   * @param limit how many it takes at most
   * @returns whether it has had all of them
   */
  serve(handle: (chain: Chain) => number, limit = Number.POSITIVE_INFINITY): boolean {
    let chain: Chain | undefined;
    for (let count = 0; count < limit; count++) {
      chain = this.pop();
      if (chain === undefined) break;
      this.push(chain.head, handle(chain));
    }
    this.notify();
    return chain === undefined;
  }

  /** Returns a chain to the driver with `written` bytes in it. */
  push(head: number, written: number): void {
    const { region, offset } = this.#used;
    const at = offset + RING_HEADER + (this.#nextUsed % this.size) * USED_ELEMENT;
    region.view.setUint32(at, head, true);
    region.view.setUint32(at + 4, written, true);
    this.#nextUsed = (this.#nextUsed + 1) & INDEX_MASK;
    setWord(this.#used, RING_INDEX, this.#nextUsed);
  }

  /** Interrupts the driver if it wants to hear of what was pushed since the last call. */
  notify(): void {
    const before = this.#signalled;
    if (before === this.#nextUsed) return;
    this.#signalled = this.#nextUsed;
    if (this.#isInterruptWanted(before)) this.#interrupt();
  }

  /** Every device serves chains in order: those that it had taken and not given back are the next. */
  #resume(): void {
    this.#nextUsed = word(this.#used, RING_INDEX);
    this.#nextAvailable = this.#nextUsed;
    this.#signalled = this.#nextUsed;
  }

  #hasAvailable(): boolean {
    if (this.#pending() > 0) return true;
    if (!this.#eventIndex) return false;
    // Ask for a kick from here on, and look again: the driver may have added before it saw that (§2.7.10).
    setWord(this.#used, RING_HEADER + this.size * USED_ELEMENT, this.#nextAvailable);
    return this.#pending() > 0;
  }

  #pending(): number {
    const pending = (word(this.#available, RING_INDEX) - this.#nextAvailable) & INDEX_MASK;
    if (pending > this.size) throw new RingError(`${pending} chains in a ring of ${this.size}`);
    return pending;
  }

  #isInterruptWanted(before: number): boolean {
    if (!this.#eventIndex) {
      return (word(this.#available, 0) & VRING_AVAIL_F_NO_INTERRUPT) === 0;
    }
    const event = word(this.#available, RING_HEADER + this.size * AVAIL_ELEMENT);
    const sinceEvent = (this.#nextUsed - event - 1) & INDEX_MASK;
    return sinceEvent < ((this.#nextUsed - before) & INDEX_MASK);
  }
}

// Ring words are shared with a running guest: sequentially consistent, so that a store to one ring is
// seen before the following load from the other.
function word({ region, offset }: Location, at: number): number {
  return Atomics.load(region.words, (offset + at) / 2);
}

function setWord({ region, offset }: Location, at: number, value: number): void {
  Atomics.store(region.words, (offset + at) / 2, value);
}
