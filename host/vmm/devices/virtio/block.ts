/** The block device (virtio 1.2 §5.2): requests are served one by one, each with system calls on guest memory. */

import { type System, SystemCallError } from "../../kvm/system.ts";
import type { Disk } from "../block/disk.ts";
import type { DiskLimiter } from "../block/token-bucket.ts";
import { type Chain, RingError } from "./chain.ts";
import { VIRTIO_ID_BLOCK } from "./constants.ts";
import type { DeviceHost, VirtioDevice } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

// Feature bits, request types and results, §5.2.3 and §5.2.6, linux/virtio_blk.h.
const VIRTIO_BLK_F_SEG_MAX = 2;
const VIRTIO_BLK_F_RO = 5;
const VIRTIO_BLK_F_BLK_SIZE = 6;
const VIRTIO_BLK_F_FLUSH = 9;
const VIRTIO_BLK_F_TOPOLOGY = 10;
const VIRTIO_BLK_F_DISCARD = 13;
const VIRTIO_BLK_F_WRITE_ZEROES = 14;
const VIRTIO_BLK_T_IN = 0;
const VIRTIO_BLK_T_OUT = 1;
const VIRTIO_BLK_T_FLUSH = 4;
const VIRTIO_BLK_T_GET_ID = 8;
const VIRTIO_BLK_T_DISCARD = 11;
const VIRTIO_BLK_T_WRITE_ZEROES = 13;
const VIRTIO_BLK_S_OK = 0;
const VIRTIO_BLK_S_IOERR = 1;
const VIRTIO_BLK_S_UNSUPP = 2;
const VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP = 1;

const SECTOR_SIZE = 512;
/** Linux reads twice this ahead of a program that reads in order, in `sectors`: 512 KiB and not 128. */
const OPTIMAL_SECTORS = 512;
const QUEUE_SIZE = 256;
const HEADER_SIZE = 16;
const STATUS_SIZE = 1;
const ID_SIZE = 20;
/** struct virtio_blk_discard_write_zeroes: sector, number of sectors, flags */
const RANGE_SIZE = 16;

/** The most that one request may move, in `bytes`; twice what Linux asks for with all segments of 64 KiB. */
const REQUEST_LIMIT = 32 * 1024 * 1024;
/** The most that one discard or write-zeroes may cover, in `sectors`: 1 GiB. */
const RANGE_LIMIT = 2 * 1024 * 1024;

export interface BlockOptions {
  /** at most 20 ASCII bytes */
  readonly serial: string;
  readonly disk: Disk;
  readonly limiter?: DiskLimiter | undefined;
}

export class VirtioBlock implements VirtioDevice {
  readonly name: string;
  readonly deviceId = VIRTIO_ID_BLOCK;
  readonly features: number;
  readonly queueSizes = [QUEUE_SIZE];
  readonly config: Uint8Array;
  readonly #system: System;
  readonly #disk: Disk;
  readonly #serial: Uint8Array;
  #limiter: DiskLimiter | undefined;
  readonly #header = new DataView(new ArrayBuffer(HEADER_SIZE));
  readonly #status = new Uint8Array(STATUS_SIZE);
  #host: DeviceHost | undefined;
  #queue: Virtqueue | undefined;
  /** the request that waits until its limit lets it through, and with it all behind it */
  #held: Chain | undefined;

  constructor(system: System, { serial, disk, limiter }: BlockOptions) {
    this.name = `disk ${serial}`;
    this.#system = system;
    this.#disk = disk;
    this.#serial = Uint8Array.from(serial.slice(0, ID_SIZE), (letter) => letter.charCodeAt(0));
    this.#limiter = limiter;
    this.features =
      (1 << VIRTIO_BLK_F_SEG_MAX) |
      (1 << VIRTIO_BLK_F_BLK_SIZE) |
      (1 << VIRTIO_BLK_F_TOPOLOGY) |
      (disk.writer === undefined
        ? 1 << VIRTIO_BLK_F_RO
        : (1 << VIRTIO_BLK_F_FLUSH) |
          (1 << VIRTIO_BLK_F_DISCARD) |
          (1 << VIRTIO_BLK_F_WRITE_ZEROES));
    this.config = encodeConfig(disk.length);
  }

  attach(host: DeviceHost): void {
    this.#host = host;
  }

  activate([queue]: readonly (Virtqueue | undefined)[]): void {
    this.#queue = queue;
    this.process();
  }

  reset(): void {
    this.#queue = undefined;
    this.#held = undefined;
  }

  /** What it knows is in the driver's rings, and on its disk. */
  save(): Uint8Array {
    this.#disk.writer?.settle?.();
    return new Uint8Array();
  }

  limit(limiter: DiskLimiter | undefined): void {
    this.#limiter = limiter;
    const held = this.#held;
    if (held !== undefined) this.#host?.timer(this.#system.now(), () => this.#goOn(held));
  }

  process(): void {
    const queue = this.#queue;
    while (queue !== undefined && this.#held === undefined) {
      const chain = queue.pop();
      if (chain === undefined) break;
      const { readable, writable } = chain;
      const header = new Uint8Array(this.#header.buffer);
      if (readable.read(0, header) < HEADER_SIZE || writable.length < STATUS_SIZE) {
        throw new RingError("request without header or status");
      }
      if (!this.#hold(chain)) queue.push(chain.head, this.#serve(chain));
    }
    queue?.notify();
  }

  /** True when the limit for this request is used up; then a timer goes on with it. */
  #hold(chain: Chain): boolean {
    const now = this.#system.now();
    const delay = this.#bucket?.delay(now) ?? 0;
    if (delay === 0) return false;
    this.#held = chain;
    this.#host?.timer(now + delay, () => this.#goOn(chain));
    return true;
  }

  /** Serves the request that was held, unless another disk with the same limit was first. */
  #goOn(chain: Chain): void {
    if (this.#held !== chain || this.#hold(chain)) return;
    this.#held = undefined;
    this.#queue?.push(chain.head, this.#serve(chain));
    this.process();
  }

  /** What the request whose header was read waits for; none but reads and writes are limited. */
  get #bucket(): DiskLimiter["read"] | undefined {
    const type = this.#header.getUint32(0, true);
    if (type === VIRTIO_BLK_T_IN) return this.#limiter?.read;
    return type === VIRTIO_BLK_T_OUT ? this.#limiter?.write : undefined;
  }

  /** Serves the request whose header was read; how many bytes were written to the guest. */
  #serve(chain: Chain): number {
    const { readable, writable } = chain;
    const room = writable.length - STATUS_SIZE;
    let status: number;
    try {
      status = this.#execute(chain, room);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      status = VIRTIO_BLK_S_IOERR;
    }
    this.#status[0] = status;
    writable.write(room, this.#status);
    this.#bucket?.take(readable.length - HEADER_SIZE + room);
    return room + STATUS_SIZE;
  }

  #execute({ readable, writable }: Chain, room: number): number {
    const type = this.#header.getUint32(0, true);
    const sector = this.#sector(this.#header, 8);
    const { writer } = this.#disk;
    switch (type) {
      case VIRTIO_BLK_T_IN: {
        if (!this.#isWithin(sector, room)) return VIRTIO_BLK_S_IOERR;
        const data = { buffers: writable, position: 0, length: room };
        this.#disk.read(sector * SECTOR_SIZE, data);
        return VIRTIO_BLK_S_OK;
      }
      case VIRTIO_BLK_T_OUT: {
        const length = readable.length - HEADER_SIZE;
        if (writer === undefined || !this.#isWithin(sector, length)) return VIRTIO_BLK_S_IOERR;
        writer.write(sector * SECTOR_SIZE, { buffers: readable, position: HEADER_SIZE, length });
        return VIRTIO_BLK_S_OK;
      }
      case VIRTIO_BLK_T_FLUSH:
        writer?.flush();
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_GET_ID: {
        const id = new Uint8Array(Math.min(ID_SIZE, room));
        id.set(this.#serial.subarray(0, id.length));
        writable.write(0, id);
        return VIRTIO_BLK_S_OK;
      }
      case VIRTIO_BLK_T_DISCARD:
      case VIRTIO_BLK_T_WRITE_ZEROES:
        return this.#clear(readable.read(HEADER_SIZE, this.#range), type);
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  readonly #range = new Uint8Array(RANGE_SIZE);

  /** Serves a discard or write-zeroes of the one range that `max_..._seg` allows. */
  #clear(length: number, type: number): number {
    const { writer } = this.#disk;
    if (writer === undefined || length < RANGE_SIZE) return VIRTIO_BLK_S_IOERR;
    const view = new DataView(this.#range.buffer);
    const sector = this.#sector(view, 0);
    const sectors = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    if (sectors > RANGE_LIMIT || (sector + sectors) * SECTOR_SIZE > this.#disk.length) {
      return VIRTIO_BLK_S_IOERR;
    }
    if ((flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) !== 0) return VIRTIO_BLK_S_UNSUPP;
    const unmap = (flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) !== 0;
    if (type === VIRTIO_BLK_T_WRITE_ZEROES) {
      writer.writeZeroes(sector * SECTOR_SIZE, sectors * SECTOR_SIZE, unmap);
    } else if (unmap) {
      return VIRTIO_BLK_S_UNSUPP; // §5.2.6.2: the flag is for write-zeroes alone
    } else {
      writer.discard(sector * SECTOR_SIZE, sectors * SECTOR_SIZE);
    }
    return VIRTIO_BLK_S_OK;
  }

  /** Sector numbers are 64 bits wide; what a number cannot hold exactly is beyond any disk. */
  #sector(view: DataView, at: number): number {
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }

  #isWithin(sector: number, length: number): boolean {
    const isWhole = length % SECTOR_SIZE === 0 && length <= REQUEST_LIMIT;
    return isWhole && sector * SECTOR_SIZE + length <= this.#disk.length;
  }
}

/** struct virtio_blk_config of linux/virtio_blk.h. */
function encodeConfig(length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(60));
  const sectors = length / SECTOR_SIZE;
  view.setUint32(0, sectors % 2 ** 32, true);
  view.setUint32(4, Math.floor(sectors / 2 ** 32), true);
  view.setUint32(12, QUEUE_SIZE - 2, true); // seg_max: all but header and status
  view.setUint32(20, SECTOR_SIZE, true); // blk_size
  view.setUint16(26, 1, true); // min_io_size
  view.setUint32(28, OPTIMAL_SECTORS, true); // opt_io_size
  view.setUint32(36, RANGE_LIMIT, true); // max_discard_sectors
  view.setUint32(40, 1, true); // max_discard_seg
  view.setUint32(44, 8, true); // discard_sector_alignment: a page of the file
  view.setUint32(48, RANGE_LIMIT, true); // max_write_zeroes_sectors
  view.setUint32(52, 1, true); // max_write_zeroes_seg
  view.setUint8(56, 1); // write_zeroes_may_unmap
  return new Uint8Array(view.buffer);
}
