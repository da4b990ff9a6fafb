/**
 * What the VMM asks of the operating system: the one door between its core and everything foreign.
 *
 * Calls follow the kernel's convention: a negative result is an errno, so that the hot paths never make
 * an exception of `EAGAIN`; `check` makes one where an error is not expected. Implemented by host/sys, and
 * by fakes in tests. A file descriptor is a plain number that whoever opened it closes.
 */

import * as kvm from "../../sys/kvm.ts";
import type { ReceivedMessage } from "../../sys/receive-descriptors.ts";

/** An address in the address space of this process, never to be mixed up with one of the guest. */
export type HostAddress = number & { readonly brand: "host address" };

/** Memory of this process that JavaScript sees too; it stays mapped until the process ends. */
export interface Mapping {
  readonly address: HostAddress;
  /** the memory itself, not a copy; seen from the first use on */
  readonly bytes: ArrayBuffer;
}

export interface System {
  ioctl(fd: number, request: number, argument: number): number;
  /** A system call by its number, see `SYS`, for what has no method of its own. */
  syscall(number: number, ...values: readonly (number | bigint)[]): number;
  /** Maps `length` bytes: fresh memory, or those of `fd` from its start. Throws when the kernel refuses. */
  map(length: number, source?: { readonly fd: number; readonly shared: boolean }): Mapping;
  /** Sees memory that is mapped. */
  view(address: HostAddress, length: number): Uint8Array<ArrayBuffer>;
  /** A non-blocking counter descriptor. */
  eventfd(): number;
  read(fd: number, address: HostAddress, length: number): number;
  write(fd: number, address: HostAddress, length: number): number;
  /** Reads from a socket what was sent at once, with the open files that come with it, which are the caller's. */
  receive(fd: number, address: HostAddress, length: number): ReceivedMessage;
  /** `vectors` is an array of `count` struct iovec; so below. */
  readv(fd: number, vectors: HostAddress, count: number): number;
  writev(fd: number, vectors: HostAddress, count: number): number;
  preadv(fd: number, vectors: HostAddress, count: number, offset: number): number;
  pwritev(fd: number, vectors: HostAddress, count: number, offset: number): number;
  /** `descriptors` is an array of `count` struct pollfd; -1 `milliseconds` waits for ever. */
  poll(descriptors: HostAddress, count: number, milliseconds: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  ftruncate(fd: number, length: number): number;
  fdatasync(fd: number): number;
  madvise(address: HostAddress, length: number, advice: number): number;
  /** Copies memory; the two do not overlap, and both are mapped. */
  copy(target: HostAddress, source: HostAddress, length: number): void;
  getrandom(address: HostAddress, length: number): number;
  /** Accepts a connection on a listening socket; the new descriptor is non-blocking. */
  accept(fd: number): number;
  close(fd: number): number;
  /** length of a file, in `bytes` */
  fileSize(fd: number): number;
  /** monotonic time, in `milliseconds` */
  now(): number;
  /** Tells whoever looks after this VMM, in one line; a flood of lines is cut off. */
  log(line: string): void;
  /** Ends the process, all its threads, at once. */
  exit(code: number): never;
}

/** A system call that should not have failed. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  /** errno, positive */
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call} failed with errno ${errno}`);
    this.errno = errno;
  }
}

/** Returns `result`, or throws when it is a negated errno; `call` says in the message what was tried. */
export function check(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, -result);
  return result;
}

/** Name of a request to KVM, or of another number of its interface. */
export type KvmName = Extract<keyof typeof kvm, `KVM_${string}`>;

/** The numbers by their names, which messages tell too. */
export const KVM: Readonly<Record<KvmName, number>> = kvm;

/** An ioctl(2) that is not to fail: one that a signal has interrupted, one of the JavaScript engine's, is made again. */
export function control(
  system: Pick<System, "ioctl">,
  fd: number,
  request: KvmName,
  argument: number,
): number {
  for (;;) {
    const result = system.ioctl(fd, KVM[request], argument);
    if (result !== -EINTR) return check(request, result);
  }
}

export const EINTR = 4;
export const EAGAIN = 11;
