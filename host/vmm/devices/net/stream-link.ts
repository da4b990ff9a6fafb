/** Frames over a stream socket, each behind its length in 32 bits, big-endian: what passt and QEMU speak. */

import { EAGAIN, type HostAddress, type System } from "../../kvm/system.ts";
import type { Buffers } from "../virtio/chain.ts";
import { FRAME_LIMIT, NET_HEADER_SIZE, type NetLink } from "./net-link.ts";

const PREFIX_SIZE = 4;
/** Room for several large frames in each direction, in `bytes`: one system call moves many small ones. */
const BUFFER_SIZE = 256 * 1024;
/** Before the first frame: a header is laid over the prefix and what is before it, which has been consumed. */
const SLACK = NET_HEADER_SIZE - PREFIX_SIZE;

export class StreamLink implements NetLink {
  readonly fd: number;
  readonly features = 0;
  readonly #system: System;
  readonly #outgoing: Area;
  readonly #incoming: Area;
  #broken = false;

  /** @param fd connected and non-blocking */
  constructor(system: System, fd: number) {
    this.fd = fd;
    this.#system = system;
    this.#outgoing = new Area(system, 0);
    this.#incoming = new Area(system, SLACK);
  }

  send(buffers: Buffers): boolean {
    const length = Math.min(buffers.length - NET_HEADER_SIZE, FRAME_LIMIT);
    if (length <= 0) return true;
    const area = this.#outgoing;
    if (area.room < PREFIX_SIZE + length && (!this.flush() || area.room < PREFIX_SIZE + length)) {
      return false;
    }
    area.view.setUint32(area.end, length);
    const start = area.end + PREFIX_SIZE;
    buffers.read(NET_HEADER_SIZE, area.bytes.subarray(start, start + length));
    area.end = start + length;
    return true;
  }

  flush(): boolean {
    const area = this.#outgoing;
    while (area.length > 0) {
      const written = this.#broken
        ? area.length
        : this.#system.write(this.fd, area.at(area.start), area.length);
      if (written === -EAGAIN) return false;
      // Nobody is there any more: frames are lost, as on a wire.
      if (written < 0) this.#broken = true;
      else area.start += written;
    }
    area.compact();
    return true;
  }

  receive(): Uint8Array | undefined {
    for (;;) {
      const frame = this.#nextFrame();
      if (frame !== undefined || this.#broken || !this.#fill()) return frame;
    }
  }

  #nextFrame(): Uint8Array | undefined {
    const area = this.#incoming;
    if (area.length < PREFIX_SIZE) return undefined;
    const length = area.view.getUint32(area.start);
    if (length > FRAME_LIMIT) {
      this.#broken = true; // there is no finding the next frame
      this.#system.log(`network: a frame of ${length} bytes`);
      return undefined;
    }
    if (area.length < PREFIX_SIZE + length) return undefined;
    const start = area.start + PREFIX_SIZE;
    const header = start - NET_HEADER_SIZE;
    area.bytes.fill(0, header, start);
    area.start = start + length;
    return area.bytes.subarray(header, area.start);
  }

  /** Reads more; false when there is nothing more for now, or for ever. */
  #fill(): boolean {
    const area = this.#incoming;
    area.compact();
    const read = this.#system.read(this.fd, area.at(area.end), area.room);
    if (read === -EAGAIN) return false;
    if (read <= 0) this.#broken = true;
    else area.end += read;
    return read > 0;
  }
}

/** Bytes on their way, between `start` and `end` of memory that system calls reach. */
class Area {
  readonly #address: HostAddress;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  start: number;
  end: number;
  readonly #slack: number;

  constructor(system: System, slack: number) {
    const { address, bytes } = system.map(BUFFER_SIZE);
    this.#address = address;
    this.bytes = new Uint8Array(bytes);
    this.view = new DataView(bytes);
    this.#slack = slack;
    this.start = slack;
    this.end = slack;
  }

  get length(): number {
    return this.end - this.start;
  }

  get room(): number {
    return BUFFER_SIZE - this.end;
  }

  /** Where system calls find what is at `offset`. */
  at(offset: number): HostAddress {
    return (this.#address + offset) as HostAddress;
  }

  /** Moves what there is to the front. */
  compact(): void {
    this.bytes.copyWithin(this.#slack, this.start, this.end);
    this.end = this.#slack + this.length;
    this.start = this.#slack;
  }
}
