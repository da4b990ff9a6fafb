/**
 * A disk in the format qcow2 (docs/interop/qcow2.txt of QEMU 7.2) as `makeQcow2Overlay` begins it: version 3, clusters of
 * 64 KiB above a raw disk that stays as it is, no snapshots, nothing compressed or encrypted. Clusters are taken from the
 * end of the file and never given back, only emptied; nobody here needs their reference counts, so the file is marked
 * dirty, for which QEMU makes them anew. What leads to a new one is held back until a flush, which writes it after what it
 * leads to: a host that loses power never has a cluster half copied.
 */

import { ERRNO } from "#linux/errno";
import { check, SystemCallError } from "../../kvm/system.ts";
import type { DataRange, Disk, DiskWriter } from "./disk.ts";
import type { FileTransfer } from "./file-transfer.ts";

const MAGIC = 0x514649fb; // "QFI\xfb"
const VERSION = 3;
const CLUSTER_BITS = 16;
const CLUSTER = 2 ** CLUSTER_BITS;
/** struct QCowHeader, up to its length */
const HEADER_SIZE = 104;
/** Tables have entries of 64 bits, big-endian: an offset in the file, with flags above and below it. */
const ENTRY = 8;
const PER_TABLE = CLUSTER / ENTRY;
/** The most entries of the first table: enough for 16 TiB. */
const L1_LIMIT = 32_768;
/** Among the incompatible features, the last byte of the header's field. */
const QCOW2_INCOMPAT_DIRTY = 1;
const INCOMPATIBLE = 79;
const QCOW_OFLAG_ZERO = 1;
// In the upper half.
const QCOW_OFLAG_COMPRESSED = 0x4000_0000;
const QCOW_OFLAG_COPIED = 0x8000_0000;
const SECTOR_SIZE = 512;

/** Where a byte of the disk is. */
interface Place {
  /** undefined: nowhere, for it is zero */
  readonly fd: number | undefined;
  readonly offset: number;
}

export interface Qcow2Options {
  readonly fd: number;
  /** the raw disk below; undefined: zeros */
  readonly backing?: number | undefined;
  /** as of a `RawDisk` */
  readonly disposable?: boolean;
}

export class Qcow2Disk implements Disk {
  readonly length: number;
  readonly writer: DiskWriter;
  readonly #transfer: FileTransfer;
  readonly #options: Qcow2Options;
  readonly #l1: DataView<ArrayBuffer>;
  readonly #l1Offset: number;
  /** second tables, as far as they were needed, by their places in the first */
  readonly #tables = new Map<number, DataView<ArrayBuffer>>();
  /** those that the file does not have yet as they are */
  readonly #changed = new Set<number>();
  /** how many clusters there are */
  #end: number;

  /** @throws {SystemCallError} for a file that is no such disk */
  constructor(transfer: FileTransfer, options: Qcow2Options) {
    this.#transfer = transfer;
    this.#options = options;
    const { fd } = options;
    const header = transfer.load({ fd, offset: 0, length: HEADER_SIZE });
    checkHeader(header);
    const size = wide(header, 24);
    this.length = Math.floor(size / SECTOR_SIZE) * SECTOR_SIZE;
    const entries = header.getUint32(36);
    if (entries > L1_LIMIT || size > entries * PER_TABLE * CLUSTER) throw unusable("table");
    this.#l1Offset = wide(header, 40);
    this.#l1 = transfer.load({ fd, offset: this.#l1Offset, length: entries * ENTRY });
    this.#end = Math.ceil(check("lseek", transfer.system.fileSize(fd)) / CLUSTER);
    this.writer = {
      write: (offset, data) => this.#write(offset, data),
      flush: () => this.#flush(),
      settle: () => this.#settle(),
      discard: (offset, length) => this.#discard(offset, length),
      writeZeroes: (offset, length, unmap) => this.#writeZeroes(offset, length, unmap),
    };
  }

  read(offset: number, { buffers, position, length }: DataRange): void {
    for (const { start, size } of parts(offset, length)) {
      const data = { buffers, position: position + start - offset, length: size };
      const place = this.#find(start);
      if (place.fd === undefined) buffers.zero(data.position, size);
      else this.#transfer.read(place.fd, place.offset, data);
    }
  }

  #write(offset: number, { buffers, position, length }: DataRange): void {
    for (const { start, size } of parts(offset, length)) {
      const data = { buffers, position: position + start - offset, length: size };
      this.#transfer.write(this.#options.fd, this.#take(start, size), data);
    }
  }

  /** Of what is below another disk there is nothing to give back. */
  #discard(offset: number, length: number): void {
    const { fd } = this.#options;
    for (const { start, size } of parts(offset, length)) {
      const place = this.#find(start);
      if (place.fd === fd) this.#transfer.clear({ fd, offset: place.offset, length: size }, true);
    }
  }

  #writeZeroes(offset: number, length: number, unmap: boolean): void {
    const { fd } = this.#options;
    for (const { start, size } of parts(offset, length)) {
      const isNew = this.#find(start).fd !== fd;
      if (isNew && size === CLUSTER) this.#set(start / CLUSTER, 0, QCOW_OFLAG_ZERO);
      else this.#transfer.clear({ fd, offset: this.#take(start, size), length: size }, unmap);
    }
  }

  #find(start: number): Place {
    const cluster = Math.floor(start / CLUSTER);
    const table = this.#table(Math.floor(cluster / PER_TABLE));
    const below = { fd: this.#options.backing, offset: start };
    if (table === undefined) return below;
    const index = cluster % PER_TABLE;
    const isCompressed = (table.getUint32(index * ENTRY) & QCOW_OFLAG_COMPRESSED) !== 0;
    if (isCompressed) throw unusable("compressed cluster");
    const isZero = (table.getUint32(index * ENTRY + 4) & QCOW_OFLAG_ZERO) !== 0;
    if (isZero) return { fd: undefined, offset: start };
    const own = this.#offsetIn(table, index);
    return own === 0 ? below : { fd: this.#options.fd, offset: own + (start % CLUSTER) };
  }

  /** A second table; undefined while there is none. */
  #table(index: number): DataView<ArrayBuffer> | undefined {
    const known = this.#tables.get(index);
    const offset = known === undefined ? this.#offsetIn(this.#l1, index) : 0;
    if (offset === 0) return known;
    const table = this.#transfer.load({ fd: this.#options.fd, offset, length: CLUSTER });
    this.#tables.set(index, table);
    return table;
  }

  /** What an entry leads to; 0 for nothing. */
  #offsetIn(table: DataView, index: number): number {
    const high = table.getUint32(index * ENTRY) & 0xff_ffff;
    const offset = high * 2 ** 32 + ((table.getUint32(index * ENTRY + 4) & ~0x1ff) >>> 0);
    if (offset % CLUSTER !== 0 || offset >= this.#end * CLUSTER) throw unusable("table entry");
    return offset;
  }

  /**
   * Has a part of a cluster be in the file, to be written there: the rest of a cluster that is new is copied.
   *
   * @returns where in the file it is
   */
  #take(start: number, size: number): number {
    const { fd } = this.#options;
    const place = this.#find(start);
    if (place.fd === fd) return place.offset;
    const own = this.#end++ * CLUSTER;
    const skip = start % CLUSTER;
    const rest = [[0, skip] as const, [skip + size, CLUSTER] as const];
    for (const [from, to] of place.fd === undefined ? [] : rest) {
      const range = { fd: place.fd ?? fd, offset: start - skip + from, length: to - from };
      this.#transfer.store(fd, own + from, new Uint8Array(this.#transfer.load(range).buffer));
    }
    this.#set(Math.floor(start / CLUSTER), own, 0);
    return own + skip;
  }

  #set(cluster: number, offset: number, flag: number): void {
    const index = Math.floor(cluster / PER_TABLE);
    let table = this.#table(index);
    if (table === undefined) {
      table = new DataView(new ArrayBuffer(CLUSTER));
      this.#tables.set(index, table);
      setEntry(this.#l1, index, this.#end++ * CLUSTER);
    }
    setEntry(table, cluster % PER_TABLE, offset, flag);
    this.#changed.add(index);
  }

  #flush(): void {
    this.#settle();
    this.#sync();
  }

  /** Each writes what leads to what the one before it has written. */
  #settle(): void {
    if (this.#changed.size === 0) return;
    const { fd } = this.#options;
    const transfer = this.#transfer;
    transfer.store(fd, INCOMPATIBLE, Uint8Array.of(QCOW2_INCOMPAT_DIRTY));
    check("ftruncate", transfer.system.ftruncate(fd, this.#end * CLUSTER));
    this.#sync();
    for (const index of this.#changed) {
      const table = this.#table(index);
      if (table) transfer.store(fd, this.#offsetIn(this.#l1, index), new Uint8Array(table.buffer));
    }
    transfer.store(fd, this.#l1Offset, new Uint8Array(this.#l1.buffer));
    this.#changed.clear();
  }

  #sync(): void {
    const { fd, disposable = false } = this.#options;
    if (!disposable) check("fdatasync", this.#transfer.system.fdatasync(fd));
  }
}

function checkHeader(header: DataView): void {
  const words = [0, 4, 20, 32, 60].map((at) => header.getUint32(at));
  const wanted = [MAGIC, VERSION, CLUSTER_BITS, 0, 0]; // no encryption, no snapshots
  const isKnown = words.every((word, index) => word === wanted[index]);
  const [incompatible, autoclear] = [wide(header, 72), wide(header, 88)];
  if (!isKnown || incompatible > QCOW2_INCOMPAT_DIRTY || autoclear !== 0) throw unusable("header");
}

/** The parts of a range that are in one cluster each. */
function* parts(offset: number, length: number): Generator<{ start: number; size: number }> {
  for (let start = offset; start < offset + length; ) {
    const size = Math.min(CLUSTER - (start % CLUSTER), offset + length - start);
    yield { start, size };
    start += size;
  }
}

function setEntry(table: DataView, index: number, offset: number, flag = 0): void {
  const upper = offset > 0 ? QCOW_OFLAG_COPIED : 0;
  table.setUint32(index * ENTRY, Math.floor(offset / 2 ** 32) | upper);
  table.setUint32(index * ENTRY + 4, (offset % 2 ** 32) | flag);
}

const wide = (view: DataView, at: number): number =>
  view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);

function unusable(what: string): SystemCallError {
  return new SystemCallError(`using the ${what} of a qcow2 file`, ERRNO.EIO);
}
