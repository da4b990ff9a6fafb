/** A `System` without a system: mappings, files, counters and sockets in plain memory, for unit tests. */

import type { ReceivedMessage } from "../../sys/receive-descriptors.ts";
import { EAGAIN, type HostAddress, type Mapping, type System } from "./system.ts";

const EINVAL = 22;
const IOVEC_SIZE = 16;
const POLLFD_SIZE = 8;
const POLLIN = 1;
const POLLOUT = 4;

interface MappedRange {
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A stream socket: what the other end sent, and what it received. */
export interface TestSocket {
  readonly incoming: Uint8Array[];
  readonly outgoing: number[];
  /** open files that come with the next bytes */
  readonly descriptors: number[];
  /** how many more bytes `writev` takes before EAGAIN */
  room: number;
  closed: boolean;
  /** the other end has gone */
  ended: boolean;
}

export class TestSystem implements System {
  readonly files = new Map<number, Uint8Array>();
  readonly sockets = new Map<number, TestSocket>();
  readonly counters = new Map<number, number>();
  /** sockets that wait to be accepted, by listener */
  readonly backlogs = new Map<number, number[]>();
  readonly punched: { fd: number; offset: number; length: number }[] = [];
  readonly syncs: number[] = [];
  time = 0;
  readonly #mappings: MappedRange[] = [];
  #nextAddress = 0x7f00_0000_0000;
  #nextFd = 100;

  /** A file with this content. */
  file(content: Uint8Array): number {
    const fd = this.#nextFd++;
    this.files.set(fd, content);
    return fd;
  }

  listener(): number {
    const fd = this.#nextFd++;
    this.backlogs.set(fd, []);
    return fd;
  }

  /** Connects to a listener; the result is the host's own end. */
  connect(listener: number): TestSocket {
    const fd = this.#nextFd++;
    this.backlogs.get(listener)?.push(fd);
    return this.#addSocket(fd);
  }

  /** A connected socket and its descriptor. */
  socket(): { readonly fd: number; readonly socket: TestSocket } {
    const fd = this.#nextFd++;
    return { fd, socket: this.#addSocket(fd) };
  }

  ioctl(): number {
    return -EINVAL;
  }

  syscall(): number {
    return 0;
  }

  map(length: number, source?: { readonly fd: number }): Mapping {
    const content = source === undefined ? undefined : this.files.get(source.fd);
    const bytes = content?.buffer instanceof ArrayBuffer ? content.buffer : new ArrayBuffer(length);
    const address = this.#nextAddress as HostAddress;
    this.#nextAddress += Math.ceil(length / 4096) * 4096 + 4096; // a gap that nothing may reach into
    this.#mappings.push({ address, bytes: new Uint8Array(bytes) });
    return { address, bytes };
  }

  view(address: HostAddress, length: number): Uint8Array<ArrayBuffer> {
    return this.#bytes(address, length);
  }

  eventfd(): number {
    const fd = this.#nextFd++;
    this.counters.set(fd, 0);
    return fd;
  }

  read(fd: number, address: HostAddress, length: number): number {
    if (!this.counters.has(fd)) return this.#receive(fd, [this.#bytes(address, length)]);
    if (this.counters.get(fd) === 0) return -EAGAIN;
    this.#bytes(address, length).fill(0);
    this.counters.set(fd, 0);
    return length;
  }

  write(fd: number, address: HostAddress, length: number): number {
    const counter = this.counters.get(fd);
    if (counter === undefined) return this.#send(fd, [this.#bytes(address, length)]);
    this.counters.set(fd, counter + 1);
    return length;
  }

  receive(fd: number, address: HostAddress, length: number): ReceivedMessage {
    const descriptors = this.sockets.get(fd)?.descriptors.splice(0) ?? [];
    return { length: this.#receive(fd, [this.#bytes(address, length)]), descriptors };
  }

  readv(fd: number, vectors: HostAddress, count: number): number {
    return this.#receive(fd, this.#vectors(vectors, count));
  }

  writev(fd: number, vectors: HostAddress, count: number): number {
    return this.#send(fd, this.#vectors(vectors, count));
  }

  preadv(fd: number, vectors: HostAddress, count: number, offset: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EINVAL;
    let done = 0;
    for (const target of this.#vectors(vectors, count)) {
      const part = file.subarray(offset + done, offset + done + target.length);
      target.set(part);
      done += part.length;
      if (part.length < target.length) break;
    }
    return done;
  }

  pwritev(fd: number, vectors: HostAddress, count: number, offset: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EINVAL;
    const parts = this.#vectors(vectors, count);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (offset + length > file.length) this.ftruncate(fd, offset + length);
    let at = offset;
    for (const source of parts) {
      this.files.get(fd)?.set(source, at);
      at += source.length;
    }
    return length;
  }

  poll(descriptors: HostAddress, count: number): number {
    const { buffer, byteOffset, length } = this.#bytes(descriptors, count * POLLFD_SIZE);
    const view = new DataView(buffer, byteOffset, length);
    let ready = 0;
    for (let at = 0; at < length; at += POLLFD_SIZE) {
      const occurred = this.#events(view.getInt32(at, true)) & view.getUint16(at + 4, true);
      view.setUint16(at + 6, occurred, true);
      if (occurred !== 0) ready++;
    }
    return ready;
  }

  fallocate(fd: number, _mode: number, offset: number, length: number): number {
    this.punched.push({ fd, offset, length });
    this.files.get(fd)?.fill(0, offset, offset + length);
    return 0;
  }

  ftruncate(fd: number, length: number): number {
    const resized = new Uint8Array(length);
    resized.set((this.files.get(fd) ?? new Uint8Array()).subarray(0, length));
    this.files.set(fd, resized);
    return 0;
  }

  fdatasync(fd: number): number {
    this.syncs.push(fd);
    return 0;
  }

  madvise(): number {
    return 0;
  }

  copy(target: HostAddress, source: HostAddress, length: number): void {
    this.#bytes(target, length).set(this.#bytes(source, length));
  }

  getrandom(address: HostAddress, length: number): number {
    this.#bytes(address, length).fill(0x5a);
    return length;
  }

  accept(fd: number): number {
    return this.backlogs.get(fd)?.shift() ?? -EAGAIN;
  }

  close(fd: number): number {
    const socket = this.sockets.get(fd);
    if (socket !== undefined) socket.closed = true;
    return 0;
  }

  fileSize(fd: number): number {
    return this.files.get(fd)?.length ?? -EINVAL;
  }

  now(): number {
    return this.time;
  }

  log(): void {}

  exit(): never {
    throw new Error("exit");
  }

  #addSocket(fd: number): TestSocket {
    const socket = {
      incoming: [],
      outgoing: [],
      descriptors: [],
      room: Infinity,
      closed: false,
      ended: false,
    };
    this.sockets.set(fd, socket);
    return socket;
  }

  #receive(fd: number, targets: readonly Uint8Array[]): number {
    const socket = this.sockets.get(fd);
    if (socket === undefined) return -EINVAL;
    if (socket.incoming.length === 0) return socket.ended ? 0 : -EAGAIN;
    let done = 0;
    for (const target of targets) {
      for (let at = 0; at < target.length; ) {
        const [chunk] = socket.incoming;
        if (chunk === undefined) return done;
        const part = chunk.subarray(0, target.length - at);
        target.set(part, at);
        at += part.length;
        done += part.length;
        if (part.length === chunk.length) socket.incoming.shift();
        else socket.incoming[0] = chunk.subarray(part.length);
      }
    }
    return done;
  }

  #send(fd: number, parts: readonly Uint8Array[]): number {
    const socket = this.sockets.get(fd);
    if (socket === undefined) return this.#append(fd, parts);
    if (socket.room === 0) return -EAGAIN;
    const bytes = parts.flatMap((part) => [...part]).slice(0, socket.room);
    socket.outgoing.push(...bytes);
    socket.room -= bytes.length;
    return bytes.length;
  }

  #append(fd: number, parts: readonly Uint8Array[]): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EINVAL;
    let length = file.length;
    const grown = new Uint8Array(parts.reduce((sum, part) => sum + part.length, length));
    grown.set(file);
    for (const part of parts) {
      grown.set(part, length);
      length += part.length;
    }
    this.files.set(fd, grown);
    return length - file.length;
  }

  #events(fd: number): number {
    const socket = this.sockets.get(fd);
    if (socket !== undefined) {
      const input = socket.incoming.length > 0 || socket.ended ? POLLIN : 0;
      return input | (socket.room > 0 ? POLLOUT : 0);
    }
    const pending = this.counters.get(fd) ?? this.backlogs.get(fd)?.length ?? 0;
    return pending > 0 ? POLLIN : 0;
  }

  #vectors(vectors: HostAddress, count: number): Uint8Array[] {
    const { buffer, byteOffset, length } = this.#bytes(vectors, count * IOVEC_SIZE);
    const view = new DataView(buffer, byteOffset, length);
    return Array.from({ length: count }, (_, index) => {
      const address = Number(view.getBigUint64(index * IOVEC_SIZE, true));
      return this.#bytes(address, Number(view.getBigUint64(index * IOVEC_SIZE + 8, true)));
    });
  }

  /** The mapped bytes, as the kernel would find them; an address that is not mapped is a bug, not an errno. */
  #bytes(address: number, length: number): Uint8Array<ArrayBuffer> {
    for (const mapping of this.#mappings) {
      const offset = address - mapping.address;
      if (offset >= 0 && offset + length <= mapping.bytes.length) {
        return mapping.bytes.subarray(offset, offset + length);
      }
    }
    throw new Error(`the kernel was given ${length} bytes at 0x${address.toString(16)}`);
  }
}
