/**
 * The register block of one virtio-mmio device (virtio 1.2 §4.2.2) in memory shared by all threads.
 *
 * The vCPU thread that exits serves the access itself: registers are words of the block, so nothing waits
 * and nothing locks; vCPUs that race each other spoil only their own guest's device. Two writes concern
 * the device thread: a reset and DRIVER_OK. For these the vCPU leaves a request in the block, signals the device's descriptor and sleeps until the device thread has acted.
 */

import { VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK } from "./constants.ts";

// Register offsets, virtio 1.2 table 4.1, in the spelling of linux/virtio_mmio.h.
const VIRTIO_MMIO_MAGIC_VALUE = 0x000;
const VIRTIO_MMIO_VERSION = 0x004;
const VIRTIO_MMIO_DEVICE_ID = 0x008;
const VIRTIO_MMIO_VENDOR_ID = 0x00c;
const VIRTIO_MMIO_DEVICE_FEATURES = 0x010;
const VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014;
const VIRTIO_MMIO_DRIVER_FEATURES = 0x020;
const VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024;
const VIRTIO_MMIO_QUEUE_SEL = 0x030;
const VIRTIO_MMIO_QUEUE_NUM_MAX = 0x034;
const VIRTIO_MMIO_QUEUE_NUM = 0x038;
const VIRTIO_MMIO_QUEUE_READY = 0x044;
export const VIRTIO_MMIO_QUEUE_NOTIFY = 0x050;
const VIRTIO_MMIO_INTERRUPT_STATUS = 0x060;
const VIRTIO_MMIO_INTERRUPT_ACK = 0x064;
const VIRTIO_MMIO_STATUS = 0x070;
const VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080;
const VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084;
const VIRTIO_MMIO_QUEUE_AVAIL_LOW = 0x090;
const VIRTIO_MMIO_QUEUE_AVAIL_HIGH = 0x094;
const VIRTIO_MMIO_QUEUE_USED_LOW = 0x0a0;
const VIRTIO_MMIO_QUEUE_USED_HIGH = 0x0a4;
const VIRTIO_MMIO_SHM_LEN_LOW = 0x0b0;
const VIRTIO_MMIO_SHM_BASE_HIGH = 0x0bc;
const VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc;
const VIRTIO_MMIO_CONFIG = 0x100;

const MAGIC = 0x74726976; // "virt"
const VERSION_2 = 2;
const VENDOR = 0x4d5644; // "DVM"

/** Words of the block. */
export const Word = {
  status: 0,
  interruptStatus: 1,
  request: 2,
  configGeneration: 3,
  deviceFeaturesSel: 4,
  driverFeaturesSel: 5,
  queueSel: 6,
  deviceId: 7,
  deviceFeatures: 8,
  driverFeatures: 10,
  queueCount: 12,
  configLength: 13,
  writableStart: 14,
  writableEnd: 15,
  queues: 16,
} as const;

/** Words of one queue's part of the block. */
export const QueueWord = {
  sizeMax: 0,
  size: 1,
  ready: 2,
  descriptors: 4,
  available: 6,
  used: 8,
} as const;

/** What each register is: a constant, or a word of the block, or of the selected queue. */
const CONSTANT = new Map([
  [VIRTIO_MMIO_MAGIC_VALUE, MAGIC],
  [VIRTIO_MMIO_VERSION, VERSION_2],
  [VIRTIO_MMIO_VENDOR_ID, VENDOR],
]);
const READABLE = new Map<number, number>([
  [VIRTIO_MMIO_DEVICE_ID, Word.deviceId],
  [VIRTIO_MMIO_INTERRUPT_STATUS, Word.interruptStatus],
  [VIRTIO_MMIO_STATUS, Word.status],
  [VIRTIO_MMIO_CONFIG_GENERATION, Word.configGeneration],
]);
const WRITABLE = new Map<number, number>([
  [VIRTIO_MMIO_DEVICE_FEATURES_SEL, Word.deviceFeaturesSel],
  [VIRTIO_MMIO_DRIVER_FEATURES_SEL, Word.driverFeaturesSel],
  [VIRTIO_MMIO_QUEUE_SEL, Word.queueSel],
]);
const QUEUE_READABLE = new Map<number, number>([
  [VIRTIO_MMIO_QUEUE_NUM_MAX, QueueWord.sizeMax],
  [VIRTIO_MMIO_QUEUE_READY, QueueWord.ready],
]);
const QUEUE_WRITABLE = new Map<number, number>([
  [VIRTIO_MMIO_QUEUE_NUM, QueueWord.size],
  [VIRTIO_MMIO_QUEUE_READY, QueueWord.ready],
  [VIRTIO_MMIO_QUEUE_DESC_LOW, QueueWord.descriptors],
  [VIRTIO_MMIO_QUEUE_DESC_HIGH, QueueWord.descriptors + 1],
  [VIRTIO_MMIO_QUEUE_AVAIL_LOW, QueueWord.available],
  [VIRTIO_MMIO_QUEUE_AVAIL_HIGH, QueueWord.available + 1],
  [VIRTIO_MMIO_QUEUE_USED_LOW, QueueWord.used],
  [VIRTIO_MMIO_QUEUE_USED_HIGH, QueueWord.used + 1],
]);

const QUEUE_WORDS = 16;
export const QUEUES_LIMIT = 8;
const CONFIG_OFFSET = 4 * (Word.queues + QUEUES_LIMIT * QUEUE_WORDS);
export const CONFIG_LIMIT = 256;
const BLOCK_SIZE = CONFIG_OFFSET + CONFIG_LIMIT;

/** What a vCPU can ask of the device thread; bits of the request word. */
export const Request = { reset: 1, driverOk: 2 } as const;

/** The block as both sides see it. */
export class RegisterBlock {
  readonly shared: SharedArrayBuffer;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly config: Uint8Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(BLOCK_SIZE)) {
    this.shared = shared;
    this.words = new Int32Array(shared, 0, CONFIG_OFFSET / 4);
    this.config = new Uint8Array(shared, CONFIG_OFFSET, CONFIG_LIMIT);
  }

  load(word: number): number {
    return Atomics.load(this.words, word) >>> 0;
  }

  store(word: number, value: number): void {
    Atomics.store(this.words, word, value | 0);
  }

  /** Index of a word of queue `queue`. */
  queueWord(queue: number, word: number): number {
    return Word.queues + queue * QUEUE_WORDS + word;
  }
}

/** The block as the guest sees it. */
export class VirtioRegisters {
  readonly #block: RegisterBlock;
  readonly #signal: () => void;

  /** @param signal wakes the device thread for this device */
  constructor(block: RegisterBlock, signal: () => void) {
    this.#block = block;
    this.#signal = signal;
  }

  /** Serves a read of `data.length` bytes at `offset` in the device's page. */
  read(offset: number, data: Uint8Array): void {
    if (offset >= VIRTIO_MMIO_CONFIG) {
      this.#readConfig(offset - VIRTIO_MMIO_CONFIG, data);
    } else {
      const value = data.length === 4 ? this.#register(offset) : 0;
      for (let index = 0; index < data.length; index++) data[index] = value >>> (8 * index);
    }
  }

  /** Serves a write; what is not a 32-bit access to a register has no effect (§4.2.2.2). */
  write(offset: number, data: Uint8Array): void {
    const [a = 0, b = 0, c = 0, d = 0] = data;
    if (offset >= VIRTIO_MMIO_CONFIG) this.#writeConfig(offset - VIRTIO_MMIO_CONFIG, data);
    else if (data.length === 4) {
      this.#setRegister(offset, (a | (b << 8) | (c << 16) | (d << 24)) >>> 0);
    }
  }

  #register(offset: number): number {
    const block = this.#block;
    const word = READABLE.get(offset) ?? this.#queueWord(QUEUE_READABLE.get(offset));
    if (word !== undefined) return block.load(word);
    if (offset === VIRTIO_MMIO_DEVICE_FEATURES) {
      const half = block.load(Word.deviceFeaturesSel);
      return half < 2 ? block.load(Word.deviceFeatures + half) : 0;
    }
    // §4.2.2: no shared memory region has length and base of all ones
    const isShared = offset >= VIRTIO_MMIO_SHM_LEN_LOW && offset <= VIRTIO_MMIO_SHM_BASE_HIGH;
    return isShared ? 0xffffffff : (CONSTANT.get(offset) ?? 0);
  }

  #setRegister(offset: number, value: number): void {
    const block = this.#block;
    const word = WRITABLE.get(offset) ?? this.#queueWord(QUEUE_WRITABLE.get(offset));
    if (word !== undefined) block.store(word, value);
    else if (offset === VIRTIO_MMIO_DRIVER_FEATURES) {
      const half = block.load(Word.driverFeaturesSel);
      if (half < 2) block.store(Word.driverFeatures + half, value);
    } else if (offset === VIRTIO_MMIO_QUEUE_NOTIFY) {
      this.#signal(); // reached only where no ioeventfd caught it
    } else if (offset === VIRTIO_MMIO_INTERRUPT_ACK) {
      Atomics.and(block.words, Word.interruptStatus, ~value);
    } else if (offset === VIRTIO_MMIO_STATUS) this.#setStatus(value);
  }

  /** Index of a word of the selected queue; undefined when there is no such queue. */
  #queueWord(word: number | undefined): number | undefined {
    const queue = this.#block.load(Word.queueSel);
    if (word === undefined || queue >= this.#block.load(Word.queueCount)) return undefined;
    return this.#block.queueWord(queue, word);
  }

  /** §3.1.1: FEATURES_OK stays only when we can do all that the driver accepted; 0 resets. */
  #setStatus(value: number): void {
    if (value === 0) {
      this.#ask(Request.reset);
      return;
    }
    const block = this.#block;
    let status = value;
    if ((status & VIRTIO_CONFIG_S_FEATURES_OK) !== 0 && !this.#featuresAcceptable()) {
      status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    // A driver cannot clear bits, NEEDS_RESET among them, other than by a reset (§2.1.1).
    const before = Atomics.or(block.words, Word.status, status);
    const ok = VIRTIO_CONFIG_S_DRIVER_OK;
    if ((before & ok) === 0 && (status & ok) !== 0) this.#ask(Request.driverOk);
  }

  #featuresAcceptable(): boolean {
    const block = this.#block;
    const within = (half: number): boolean =>
      (block.load(Word.driverFeatures + half) & ~block.load(Word.deviceFeatures + half)) === 0;
    const hasVersion1 = (block.load(Word.driverFeatures + 1) & 1) === 1;
    return within(0) && within(1) && hasVersion1;
  }

  #readConfig(offset: number, data: Uint8Array): void {
    const length = this.#block.load(Word.configLength);
    for (let index = 0; index < data.length; index++) {
      data[index] = offset + index < length ? (this.#block.config[offset + index] ?? 0) : 0;
    }
  }

  #writeConfig(offset: number, data: Uint8Array): void {
    const start = this.#block.load(Word.writableStart);
    const end = this.#block.load(Word.writableEnd);
    if (offset < start || offset + data.length > end) return;
    this.#block.config.set(data, offset);
  }

  #ask(request: number): void {
    const { words } = this.#block;
    Atomics.or(words, Word.request, request);
    this.#signal();
    for (;;) {
      const pending = Atomics.load(words, Word.request);
      if ((pending & request) === 0) return;
      Atomics.wait(words, Word.request, pending);
    }
  }
}
