/** A guest's virtio driver for unit tests: it speaks to a device through its registers and its rings alone. */

import { EventDescriptor } from "../../kvm/event-descriptor.ts";
import { EventLoop } from "../../kvm/event-loop.ts";
import type { TestSystem } from "../../kvm/test-system.ts";
import { createGuestMemory, type GuestMemory } from "../../memory/guest-memory.ts";
import type { VirtioDevice } from "./device.ts";
import { VirtioRegisters } from "./registers.ts";
import { VirtioTransport } from "./transport.ts";

const MEMORY_SIZE = 1024 * 1024;
const QUEUE_SIZE = 16;
/** where queue 0 is; each queue has 4 KiB: descriptors, available ring, used ring */
const QUEUES_START = 0x1000;
const QUEUE_STRIDE = 0x1000;
const AVAILABLE_OFFSET = 0x400;
const USED_OFFSET = 0x800;
/** where buffers are, one after the other */
const BUFFERS_START = 0x20000;

/** A part of a chain: bytes for the device, or room for its answer, in `bytes`. */
export type Part = Uint8Array | number;

/** A chain that the device has given back. */
export interface UsedChain {
  readonly head: number;
  /** how much the device says it wrote, in `bytes` */
  readonly written: number;
  /** the parts for the device's answer, one after the other */
  readonly answer: Uint8Array;
}

interface QueueState {
  nextDescriptor: number;
  available: number;
  used: number;
  readonly answers: Map<number, { readonly address: number; readonly length: number }[]>;
}

export class TestDriver {
  readonly system: TestSystem;
  readonly memory: GuestMemory;
  readonly view: DataView;
  readonly transport: VirtioTransport;
  readonly registers: VirtioRegisters;
  /** messages about a driver that broke the rules */
  readonly broken: string[] = [];
  readonly #loop: EventLoop;
  readonly #kick: EventDescriptor;
  readonly #interrupt: EventDescriptor;
  #queues: QueueState[] = [];
  #nextBuffer = BUFFERS_START;

  constructor(device: VirtioDevice, system: TestSystem) {
    this.system = system;
    this.memory = createGuestMemory(system, [{ start: 0, length: MEMORY_SIZE }]);
    const [region] = this.memory.regions;
    if (region === undefined) throw new Error("no memory");
    this.view = region.view;
    this.#loop = new EventLoop(system);
    this.#kick = new EventDescriptor(system);
    this.#interrupt = new EventDescriptor(system);
    this.transport = new VirtioTransport(device, {
      memory: this.memory,
      loop: this.#loop,
      kick: this.#kick,
      interrupt: this.#interrupt,
      onBroken: (message) => this.broken.push(message),
    });
    this.registers = new VirtioRegisters(this.transport.block, () => {
      this.#kick.signal();
      this.turn();
    });
  }

  /** Initialises the device as §3.1.1 says, with all features of the low word and VERSION_1. */
  start(features = this.lowFeatures()): void {
    this.setStatus(1);
    this.setStatus(3);
    this.write(0x24, 0);
    this.write(0x20, features);
    this.write(0x24, 1);
    this.write(0x20, 1);
    this.setStatus(11);
    this.#queues = this.transport.device.queueSizes.map(() => ({
      nextDescriptor: 0,
      available: 0,
      used: 0,
      answers: new Map(),
    }));
    for (const queue of this.#queues.keys()) this.#setQueue(queue);
    this.setStatus(15);
  }

  lowFeatures(): number {
    this.write(0x14, 0);
    return this.read(0x10);
  }

  read(offset: number): number {
    const data = new Uint8Array(4);
    this.registers.read(offset, data);
    return new DataView(data.buffer).getUint32(0, true);
  }

  write(offset: number, value: number): void {
    const data = new DataView(new ArrayBuffer(4));
    data.setUint32(0, value, true);
    this.registers.write(offset, new Uint8Array(data.buffer));
  }

  get status(): number {
    return this.read(0x70);
  }

  setStatus(value: number): void {
    this.write(0x70, value);
  }

  #setQueue(queue: number): void {
    const start = QUEUES_START + queue * QUEUE_STRIDE;
    this.memory.write(start, new Uint8Array(QUEUE_STRIDE));
    this.write(0x30, queue);
    this.write(0x38, Math.min(QUEUE_SIZE, this.read(0x34)));
    this.write(0x80, start);
    this.write(0x84, 0);
    this.write(0x90, start + AVAILABLE_OFFSET);
    this.write(0x94, 0);
    this.write(0xa0, start + USED_OFFSET);
    this.write(0xa4, 0);
    this.write(0x44, 1);
  }

  /** Makes a chain of the parts available, without telling the device; the chain's head. */
  add(queue: number, parts: readonly Part[]): number {
    const state = this.#state(queue);
    const head = state.nextDescriptor % QUEUE_SIZE;
    const answers: { address: number; length: number }[] = [];
    for (const [index, part] of parts.entries()) {
      const isAnswer = typeof part === "number";
      const length = isAnswer ? part : part.length;
      const address = this.#nextBuffer;
      this.#nextBuffer += length;
      if (isAnswer) answers.push({ address, length });
      else this.memory.write(address, part);
      const isLast = index === parts.length - 1;
      const slot = state.nextDescriptor++ % QUEUE_SIZE;
      this.setDescriptor(queue, slot, {
        address: BigInt(address),
        length,
        flags: (isAnswer ? 2 : 0) | (isLast ? 0 : 1),
        next: state.nextDescriptor % QUEUE_SIZE,
      });
    }
    state.answers.set(head, answers);
    this.offer(queue, head);
    return head;
  }

  setDescriptor(
    queue: number,
    slot: number,
    descriptor: { address: bigint; length: number; flags: number; next: number },
  ): void {
    const at = QUEUES_START + queue * QUEUE_STRIDE + slot * 16;
    this.view.setBigUint64(at, descriptor.address, true);
    this.view.setUint32(at + 8, descriptor.length, true);
    this.view.setUint16(at + 12, descriptor.flags, true);
    this.view.setUint16(at + 14, descriptor.next, true);
  }

  /** Puts a head into the available ring. */
  offer(queue: number, head: number): void {
    const state = this.#state(queue);
    const ring = QUEUES_START + queue * QUEUE_STRIDE + AVAILABLE_OFFSET;
    this.view.setUint16(ring + 4 + 2 * (state.available++ % QUEUE_SIZE), head, true);
    this.setAvailableIndex(queue, state.available);
  }

  setAvailableIndex(queue: number, index: number): void {
    const ring = QUEUES_START + queue * QUEUE_STRIDE + AVAILABLE_OFFSET;
    this.view.setUint16(ring + 2, index & 0xffff, true);
  }

  /** Kicks the device, as an ioeventfd does, and lets it work. */
  kick(): void {
    this.#kick.signal();
    this.turn();
  }

  /** Lets the device thread serve all that is ready. */
  turn(): void {
    for (let turns = 0; turns < 100 && this.#loop.turn(0) > 0; turns++);
  }

  /** The chains that the device has given back since the last call. */
  used(queue: number): UsedChain[] {
    const state = this.#state(queue);
    const ring = QUEUES_START + queue * QUEUE_STRIDE + USED_OFFSET;
    const end = this.view.getUint16(ring + 2, true);
    const chains: UsedChain[] = [];
    for (; (state.used & 0xffff) !== end; state.used++) {
      const at = ring + 4 + 8 * (state.used % QUEUE_SIZE);
      const head = this.view.getUint32(at, true);
      const answers = state.answers.get(head) ?? [];
      const bytes = answers.flatMap(({ address, length }) => [
        ...new Uint8Array(this.view.buffer, this.view.byteOffset + address, length),
      ]);
      const written = this.view.getUint32(at + 4, true);
      chains.push({ head, written, answer: Uint8Array.from(bytes) });
    }
    return chains;
  }

  /** Adds a chain, kicks, and returns what comes back. */
  request(queue: number, parts: readonly Part[]): UsedChain | undefined {
    this.add(queue, parts);
    this.kick();
    return this.used(queue)[0];
  }

  /** Lets later chains use the memory of those that are done with. */
  rewindBuffers(): void {
    this.#nextBuffer = BUFFERS_START;
  }

  /** How often the device has interrupted since the last call. */
  interrupts(): number {
    const count = this.system.counters.get(this.#interrupt.fd) ?? 0;
    this.#interrupt.clear();
    return count;
  }

  #state(queue: number): QueueState {
    const state = this.#queues[queue];
    if (state === undefined) throw new Error(`no queue ${queue}`);
    return state;
  }
}
