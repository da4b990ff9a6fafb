/** The device thread's half of a virtio-mmio device: it acts on what the vCPUs left in the register block. */

import type { EventDescriptor } from "../../kvm/event-descriptor.ts";
import type { EventLoop } from "../../kvm/event-loop.ts";
import { type MachineState, MachineStateError, Section } from "../../kvm/machine-state.ts";
import { GuestAddressError, type GuestMemory } from "../../memory/guest-memory.ts";
import { RingError } from "./chain.ts";
import * as virtio from "./constants.ts";
import type { DeviceHost, VirtioDevice, Watch } from "./device.ts";
import { type QueueConfig, Virtqueue } from "./queue.ts";
import {
  CONFIG_LIMIT,
  QUEUES_LIMIT,
  QueueWord,
  RegisterBlock,
  Request,
  Word,
} from "./registers.ts";

/** What says of a register block whose it is. */
const CONSTANT_WORDS = [
  ...[Word.deviceId, Word.deviceFeatures, Word.deviceFeatures + 1, Word.queueCount],
  ...[Word.configLength, Word.writableStart, Word.writableEnd],
];

export interface TransportOptions {
  readonly memory: GuestMemory;
  readonly loop: EventLoop;
  /** signalled by the guest's kicks (ioeventfd) and by vCPUs that left a request */
  readonly kick: EventDescriptor;
  /** raises the device's interrupt line (irqfd) */
  readonly interrupt: EventDescriptor;
  /** called with the reason when the driver broke the rules */
  readonly onBroken: (message: string) => void;
}

export class VirtioTransport implements DeviceHost {
  readonly memory: GuestMemory;
  readonly block = new RegisterBlock();
  #device: VirtioDevice;
  readonly #options: TransportOptions;
  #active = false;

  constructor(device: VirtioDevice, options: TransportOptions) {
    if (device.queueSizes.length > QUEUES_LIMIT || device.config.length > CONFIG_LIMIT) {
      throw new RangeError(`${device.name}: too many queues or too large a configuration space`);
    }
    this.#device = device;
    this.#options = options;
    this.memory = options.memory;
    this.#describe();
    device.attach(this);
    options.loop.watch(options.kick.fd, () => this.#kicked()).events = 1;
  }

  get device(): VirtioDevice {
    return this.#device;
  }

  /** Puts another device in its place; whatever a driver does with the old one is not heard any more. */
  become(device: VirtioDevice): void {
    this.#reset();
    this.#device = device;
    this.#describe();
    device.attach(this);
  }

  watch(fd: number, handler: (events: number) => void): Watch {
    return this.#options.loop.watch(fd, (events) => this.#guarded(() => handler(events)));
  }

  timer(at: number, handler: () => void): void {
    this.#options.loop.timer(at, () => this.#guarded(handler));
  }

  /** The state of the device, into sections of place `index`; nothing is asked of it meanwhile. */
  save(state: MachineState, index: number): void {
    const extra = this.#device.save === undefined ? new Uint8Array() : this.#device.save();
    if (extra === undefined || this.block.load(Word.request) !== 0) {
      throw new MachineStateError(`${this.#device.name} is busy`);
    }
    state.set(Section.deviceRegisters, index, new Uint8Array(this.block.shared));
    state.set(Section.device, index, extra);
  }

  /**
   * Goes on where the device of the state stopped. An interrupt that was on its way is raised again: one too many does
   * no harm, for its handler finds nothing.
   *
   * @throws {MachineStateError} when the state is that of another device
   */
  restore(state: MachineState, index: number): void {
    const { block } = this;
    const registers = state.get(Section.deviceRegisters, index, block.shared.byteLength);
    const other = new RegisterBlock(new SharedArrayBuffer(block.shared.byteLength));
    new Uint8Array(other.shared).set(registers);
    for (const word of CONSTANT_WORDS) {
      if (other.load(word) !== block.load(word)) {
        throw new MachineStateError(`${this.#device.name} is of another kind in the state`);
      }
    }
    new Uint8Array(block.shared).set(registers);
    for (const [queue, size] of this.#device.queueSizes.entries()) {
      block.store(block.queueWord(queue, QueueWord.sizeMax), size);
    }
    this.#device.restore?.(state.get(Section.device, index));
    if ((block.load(Word.status) & virtio.VIRTIO_CONFIG_S_DRIVER_OK) === 0) return;
    this.#guarded(() => this.#activate(true));
    if (block.load(Word.interruptStatus) !== 0) this.#options.interrupt.signal();
  }

  /** Writes the constant part of the block. */
  #describe(): void {
    const { block } = this;
    const device = this.#device;
    const ringFeatures =
      (1 << virtio.VIRTIO_RING_F_INDIRECT_DESC) | (1 << virtio.VIRTIO_RING_F_EVENT_IDX);
    block.store(Word.deviceId, device.deviceId);
    block.store(Word.deviceFeatures, device.features | ringFeatures);
    block.store(Word.deviceFeatures + 1, 1 << (virtio.VIRTIO_F_VERSION_1 - 32));
    block.store(Word.queueCount, device.queueSizes.length);
    block.store(Word.configLength, device.config.length);
    block.store(Word.writableStart, device.writableConfig?.start ?? 0);
    block.store(Word.writableEnd, device.writableConfig?.end ?? 0);
    block.config.set(device.config);
    for (const [queue, size] of device.queueSizes.entries()) {
      block.store(block.queueWord(queue, QueueWord.sizeMax), size);
    }
  }

  #kicked(): void {
    this.#options.kick.clear();
    this.#serveRequests();
    if (this.#active) this.#guarded(() => this.#device.process());
  }

  /** Serves what vCPUs wait for, and wakes them. */
  #serveRequests(): void {
    const { words } = this.block;
    for (;;) {
      const request = Atomics.load(words, Word.request);
      if (request === 0) return;
      if ((request & Request.reset) !== 0) this.#reset();
      if ((request & Request.driverOk) !== 0) this.#guarded(() => this.#activate());
      Atomics.and(words, Word.request, ~request);
      Atomics.notify(words, Word.request);
    }
  }

  #reset(): void {
    this.#active = false;
    this.#device.reset();
    const { block } = this;
    for (const word of [Word.driverFeatures, Word.driverFeatures + 1, Word.interruptStatus]) {
      block.store(word, 0);
    }
    for (let queue = 0; queue < this.#device.queueSizes.length; queue++) {
      for (let word = QueueWord.size; word <= QueueWord.used + 1; word++) {
        block.store(block.queueWord(queue, word), 0);
      }
    }
    block.store(Word.status, 0);
  }

  /** Copies the queues' registers, once, and hands the queues to the device. */
  #activate(resumed = false): void {
    const { block } = this;
    if (this.#active) return;
    if ((block.load(Word.status) & virtio.VIRTIO_CONFIG_S_FEATURES_OK) === 0) {
      throw new RingError("DRIVER_OK without FEATURES_OK");
    }
    const features = block.load(Word.driverFeatures);
    const eventIndex = (features & (1 << virtio.VIRTIO_RING_F_EVENT_IDX)) !== 0;
    const queues = this.#device.queueSizes.map((sizeMax, queue) =>
      this.#createQueue(queue, sizeMax, { eventIndex, resumed }),
    );
    this.#active = true;
    this.#device.activate(queues, features);
  }

  #createQueue(
    queue: number,
    sizeMax: number,
    mode: Pick<QueueConfig, "eventIndex" | "resumed">,
  ): Virtqueue | undefined {
    const { block } = this;
    const load = (word: number): number => block.load(block.queueWord(queue, word));
    const address = (word: number): number => load(word) + load(word + 1) * 2 ** 32;
    if (load(QueueWord.ready) !== 1) return undefined;
    const size = load(QueueWord.size);
    if (size > sizeMax) throw new RingError(`queue size ${size}, at most ${sizeMax}`);
    return new Virtqueue(
      this.memory,
      {
        size,
        descriptors: address(QueueWord.descriptors),
        available: address(QueueWord.available),
        used: address(QueueWord.used),
        ...mode,
      },
      () => this.#raise(virtio.VIRTIO_MMIO_INT_VRING),
    );
  }

  /** Runs what touches rings; when the driver broke their rules the device stops until its next reset. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof RingError || error instanceof GuestAddressError)) throw error;
      this.#active = false;
      this.#device.reset();
      this.#options.onBroken(`${this.#device.name}: ${error.message}`);
      Atomics.or(this.block.words, Word.status, virtio.VIRTIO_CONFIG_S_NEEDS_RESET);
      this.#raise(virtio.VIRTIO_MMIO_INT_CONFIG);
    }
  }

  #raise(bit: number): void {
    Atomics.or(this.block.words, Word.interruptStatus, bit);
    this.#options.interrupt.signal();
  }
}
