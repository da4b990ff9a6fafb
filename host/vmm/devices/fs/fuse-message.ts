/** One FUSE request, copied out of guest memory once, and the answer that is made to it. */

import { ERRNO } from "#linux/errno";
import { type HostAddress, type System, SystemCallError } from "../../kvm/system.ts";
import { type Chain, RingError } from "../virtio/chain.ts";
import * as fuse from "./fuse.ts";

const IN = fuse.fuse_in_header.size;
const OUT = fuse.fuse_out_header.size;
/** The most that a request may be without what it writes, in `bytes`: an extended attribute of full length, its name. */
const REQUEST_LIMIT = 128 * 1024;
/** The most that the body of an answer may be, in `bytes`; what is read goes straight to the guest. */
export const REPLY_LIMIT = 64 * 1024 + 8;
const NAME_LIMIT = 255;
const DOT = 0x2e;
const SLASH = 0x2f;

/** Its offsets count from the end of the request's header, or of the answer's. */
export class FuseMessage {
  /** where the answer's body is, for system calls that write it */
  readonly reply: HostAddress;
  readonly #request;
  readonly #answer;
  readonly #in: DataView;
  readonly #bytes: Uint8Array;
  #length = 0;
  #chain: Chain | undefined;

  constructor(system: System) {
    this.#request = system.map(REQUEST_LIMIT + 1);
    this.#in = new DataView(this.#request.bytes);
    this.#bytes = new Uint8Array(this.#request.bytes);
    this.#answer = system.map(OUT + REPLY_LIMIT);
    this.reply = (this.#answer.address + OUT) as HostAddress;
  }

  /** @throws {RingError} on a request without a header */
  load(chain: Chain): void {
    if (chain.readable.length < IN) throw new RingError("FUSE request without header");
    chain.readable.read(0, this.#bytes.subarray(0, IN));
    const limit =
      this.opcode === fuse.fuse_opcode.FUSE_WRITE ? IN + fuse.fuse_write_in.size : REQUEST_LIMIT;
    this.#length = Math.min(chain.readable.length, limit);
    chain.readable.read(IN, this.#bytes.subarray(IN, this.#length));
    this.#bytes[this.#length] = 0;
    this.#chain = chain;
  }

  /**
   * Sends an answer of a body of `result` bytes, or of that errno, negated; how many bytes it has.
   *
   * @param isInPlace whether the body is in the guest's memory already
   * @throws {RingError} when the guest has left no room for it
   */
  send(result: number, isInPlace: boolean): number {
    const length = OUT + Math.max(result, 0);
    const { writable } = this.chain;
    if (writable.length < length) throw new RingError("no room for the answer of a FUSE request");
    const header = new DataView(this.#answer.bytes);
    header.setUint32(fuse.fuse_out_header.len, length, true);
    header.setInt32(fuse.fuse_out_header.error, Math.min(result, 0), true);
    copy64(this.#in, fuse.fuse_in_header.unique, header, fuse.fuse_out_header.unique);
    writable.write(0, new Uint8Array(this.#answer.bytes, 0, isInPlace ? OUT : length));
    return length;
  }

  get chain(): Chain {
    if (this.#chain === undefined) throw new RingError("no FUSE request");
    return this.#chain;
  }

  get opcode(): number {
    return this.#in.getUint32(fuse.fuse_in_header.opcode, true);
  }

  get nodeId(): number {
    return read64(this.#in, fuse.fuse_in_header.nodeid);
  }

  /** user and group of who asks */
  get owner(): readonly [number, number] {
    const { uid, gid } = fuse.fuse_in_header;
    return [this.#in.getUint32(uid, true), this.#in.getUint32(gid, true)];
  }

  /** length of the request's body, less what is beyond the limit, in `bytes` */
  get length(): number {
    return this.#length - IN;
  }

  u32(at: number): number {
    return this.#in.getUint32(this.#at(at, 4), true);
  }

  /** Numbers that are too large to be exact are too large for all that they are compared with. */
  u64(at: number): number {
    return read64(this.#in, this.#at(at, 8));
  }

  big64(at: number): bigint {
    return this.#in.getBigUint64(this.#at(at, 8), true);
  }

  /** A position or length in a file, which a number must hold exactly. */
  offset(at: number): number {
    const offset = this.u64(at);
    if (offset > Number.MAX_SAFE_INTEGER) throw new SystemCallError("offset", ERRNO.EINVAL);
    return offset;
  }

  /** Where `length` bytes of the request are. */
  data(at: number, length: number): HostAddress {
    return (this.#request.address + this.#at(at, length)) as HostAddress;
  }

  /** Where a text with a NUL behind it is. */
  text(at: number): HostAddress {
    const start = this.#at(at, 1);
    if (this.#bytes.indexOf(0, start) >= this.#length)
      throw new SystemCallError("text", ERRNO.EINVAL);
    return (this.#request.address + start) as HostAddress;
  }

  /** The same for a name in a folder: one step, and not one upwards or nowhere. */
  name(at: number): HostAddress {
    const name = this.text(at);
    const bytes = this.bytesOf(name);
    const isDots = bytes.length <= 2 && bytes.every((byte) => byte === DOT);
    if (isDots || bytes.includes(SLASH)) throw new SystemCallError("name", ERRNO.EINVAL);
    if (bytes.length > NAME_LIMIT) throw new SystemCallError("name", ERRNO.ENAMETOOLONG);
    return name;
  }

  /** The bytes of a text, without the NUL. */
  bytesOf(text: HostAddress): Uint8Array {
    const start = text - this.#request.address;
    return this.#bytes.subarray(start, this.#bytes.indexOf(0, start));
  }

  /** Where that begins which follows a text. */
  after(text: HostAddress): number {
    return this.#bytes.indexOf(0, text - this.#request.address) + 1 - IN;
  }

  /** `length` zeroed bytes of the answer. */
  body(length: number, at = 0): DataView {
    const view = this.view(at, length);
    new Uint8Array(view.buffer, view.byteOffset, length).fill(0);
    return view;
  }

  /** The same as they are. */
  view(at: number, length: number): DataView {
    return new DataView(this.#answer.bytes, OUT + at, length);
  }

  /** Where in the copy of the request `length` bytes of its body are. */
  #at(at: number, length: number): number {
    if (IN + at + length > this.#length) throw new SystemCallError("request", ERRNO.EINVAL);
    return IN + at;
  }
}

function read64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

export function copy64(from: DataView, at: number, to: DataView, target: number): void {
  to.setUint32(target, from.getUint32(at, true), true);
  to.setUint32(target + 4, from.getUint32(at + 4, true), true);
}
