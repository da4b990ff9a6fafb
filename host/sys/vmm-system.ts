/**
 * The system calls of the VMM, in the shape of its `System` interface (host/vmm/kvm/system.ts).
 *
 * Results follow the kernel's convention, a negated errno on failure, and addresses are plain numbers:
 * user space ends at 2^47, so they are exact, and numbers cost no allocation on the paths that run for
 * every request. All calls are made synchronously on the calling thread. Memory that a call is given by
 * address belongs to a mapping that is never unmapped, so it outlives the call.
 */

import { writeSync } from "node:fs";
import koffi from "koffi";
import { foreign } from "./libc.ts";
import { receiveDescriptors } from "./receive-descriptors.ts";
import { checked } from "./system-error.ts";

type Call<Arguments extends readonly unknown[]> = (...values: Arguments) => number;

const raw = {
  ioctl: foreign<Call<[number, number, number]>>(
    "int ioctl(int fd, unsigned long request, uintptr_t argument)",
  ),
  syscall: foreign<Call<[number, ...(number | bigint)[]]>>(
    "intptr_t syscall(intptr_t number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e)",
  ),
  mmap: foreign<Call<[number, number, number, number, number, number]>>(
    "intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
  ),
  memfd_create: foreign<Call<[string, number]>>(
    "int memfd_create(const char *name, unsigned int flags)",
  ),
  ftruncate: foreign<Call<[number, number]>>("int ftruncate(int fd, int64_t length)"),
  eventfd: foreign<Call<[number, number]>>("int eventfd(unsigned int initial, int flags)"),
  read: foreign<Call<[number, number, number]>>(
    "intptr_t read(int fd, uintptr_t buffer, size_t count)",
  ),
  write: foreign<Call<[number, number, number]>>(
    "intptr_t write(int fd, uintptr_t buffer, size_t count)",
  ),
  readv: foreign<Call<[number, number, number]>>(
    "intptr_t readv(int fd, uintptr_t vectors, int count)",
  ),
  writev: foreign<Call<[number, number, number]>>(
    "intptr_t writev(int fd, uintptr_t vectors, int count)",
  ),
  preadv: foreign<Call<[number, number, number, number]>>(
    "intptr_t preadv(int fd, uintptr_t vectors, int count, int64_t offset)",
  ),
  pwritev: foreign<Call<[number, number, number, number]>>(
    "intptr_t pwritev(int fd, uintptr_t vectors, int count, int64_t offset)",
  ),
  poll: foreign<Call<[number, number, number]>>(
    "int poll(uintptr_t descriptors, unsigned long count, int milliseconds)",
  ),
  fallocate: foreign<Call<[number, number, number, number]>>(
    "int fallocate(int fd, int mode, int64_t offset, int64_t length)",
  ),
  fdatasync: foreign<Call<[number]>>("int fdatasync(int fd)"),
  madvise: foreign<Call<[number, number, number]>>(
    "int madvise(uintptr_t address, size_t length, int advice)",
  ),
  getrandom: foreign<Call<[number, number, number]>>(
    "intptr_t getrandom(uintptr_t buffer, size_t length, unsigned int flags)",
  ),
  accept4: foreign<Call<[number, number, number, number]>>(
    "int accept4(int fd, uintptr_t address, uintptr_t length, int flags)",
  ),
  close: foreign<Call<[number]>>("int close(int fd)"),
  // The result is the first argument.
  memcpy: foreign<Call<[number, number, number]>>(
    "uintptr_t memcpy(uintptr_t target, uintptr_t source, size_t length)",
  ),
  lseek: foreign<Call<[number, number, number]>>(
    "int64_t lseek(int fd, int64_t offset, int whence)",
  ),
  _exit: foreign<Call<[number]>>("void _exit(int code)"),
};

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MFD_CLOEXEC = 1;
const EFD_CLOEXEC_NONBLOCK = 0o2004000;
const SOCK_CLOEXEC_NONBLOCK = 0o2004000;
const SEEK_END = 2;

type Address = number & { readonly brand: "host address" };

const result = (value: number): number => (value < 0 ? -koffi.errno() : value);

/** Maps memory that stays mapped: a view of it has no end of life that JavaScript could overlook. */
function map(length: number, source?: { readonly fd: number; readonly shared: boolean }) {
  const kind = source?.shared ? MAP_SHARED : MAP_PRIVATE;
  const flags = kind | MAP_NORESERVE | (source === undefined ? MAP_ANONYMOUS : 0);
  const mapped = raw.mmap(0, length, PROT_READ_WRITE, flags, source?.fd ?? -1, 0);
  const address = checked("mmap", `of ${length} bytes`, mapped);
  let bytes: ArrayBuffer | undefined;
  return {
    address: address as Address,
    get bytes(): ArrayBuffer {
      bytes ??= koffi.view(BigInt(address), length);
      return bytes;
    },
  };
}

function memfd(name: string, length: number): number {
  const fd = result(raw.memfd_create(name, MFD_CLOEXEC));
  if (fd < 0) return fd;
  const truncated = result(raw.ftruncate(fd, length));
  return truncated < 0 ? truncated : fd;
}

const STDERR = 2;
/** Lines that a thread logs at most: a guest that makes trouble must not fill the host's disk. */
const LOG_LINES_LIMIT = 100;
let logged = 0;

function log(line: string): void {
  if (logged++ < LOG_LINES_LIMIT) writeSync(STDERR, `${line}\n`);
}

/** The system calls of this thread; a Worker has its own. */
export const vmmSystem = {
  ioctl: (fd: number, request: number, argument: number) =>
    result(raw.ioctl(fd, request, argument)),
  syscall: (number: number, ...[a = 0, b = 0, c = 0, d = 0, e = 0]: readonly (number | bigint)[]) =>
    result(raw.syscall(number, a, b, c, d, e)),
  map,
  view: (address: Address, length: number): Uint8Array<ArrayBuffer> =>
    new Uint8Array(koffi.view(BigInt(address), length)),
  memfd,
  eventfd: () => result(raw.eventfd(0, EFD_CLOEXEC_NONBLOCK)),
  read: (fd: number, address: Address, length: number) => result(raw.read(fd, address, length)),
  write: (fd: number, address: Address, length: number) => result(raw.write(fd, address, length)),
  receive: receiveDescriptors,
  readv: (fd: number, vectors: Address, count: number) => result(raw.readv(fd, vectors, count)),
  writev: (fd: number, vectors: Address, count: number) => result(raw.writev(fd, vectors, count)),
  preadv: (fd: number, vectors: Address, count: number, offset: number) =>
    result(raw.preadv(fd, vectors, count, offset)),
  pwritev: (fd: number, vectors: Address, count: number, offset: number) =>
    result(raw.pwritev(fd, vectors, count, offset)),
  poll: (descriptors: Address, count: number, milliseconds: number) =>
    result(raw.poll(descriptors, count, milliseconds)),
  fallocate: (fd: number, mode: number, offset: number, length: number) =>
    result(raw.fallocate(fd, mode, offset, length)),
  ftruncate: (fd: number, length: number) => result(raw.ftruncate(fd, length)),
  fdatasync: (fd: number) => result(raw.fdatasync(fd)),
  madvise: (address: Address, length: number, advice: number) =>
    result(raw.madvise(address, length, advice)),
  copy: (target: Address, source: Address, length: number): void => {
    raw.memcpy(target, source, length);
  },
  getrandom: (address: Address, length: number) => result(raw.getrandom(address, length, 0)),
  accept: (fd: number) => result(raw.accept4(fd, 0, 0, SOCK_CLOEXEC_NONBLOCK)),
  close: (fd: number) => result(raw.close(fd)),
  fileSize: (fd: number) => result(raw.lseek(fd, 0, SEEK_END)),
  now: () => performance.now(),
  log,
  exit: (code: number): never => {
    raw._exit(code);
    throw new Error("_exit returned");
  },
};
