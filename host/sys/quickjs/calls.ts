/** System calls by name for programs on the guest agent's engine; their failures are errors that say what was wanted. */

import { errnoName } from "#linux/errno";

type Argument = number | bigint | string | readonly string[] | Uint8Array | DataView | null;

interface Engine {
  readonly arguments: readonly string[];
  /** Memory is a typed array here. */
  syscall(number: number, ...args: Exclude<Argument, DataView>[]): number;
  address(view: Uint8Array): number;
  encode(text: string): ArrayBuffer;
  decode(view: Uint8Array): string;
}

declare const engine: Engine;

/** Numbers of the calls made here (arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.1). */
const SYS = {
  read: 0,
  write: 1,
  close: 3,
  fstat: 5,
  poll: 7,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  getpid: 39,
  socket: 41,
  connect: 42,
  shutdown: 48,
  execve: 59,
  kill: 62,
  getcwd: 79,
  chdir: 80,
  mkdir: 83,
  getuid: 102,
  geteuid: 107,
  getegid: 108,
  getppid: 110,
  capset: 126,
  pivot_root: 155,
  prctl: 157,
  chroot: 161,
  mount: 165,
  umount2: 166,
  clock_gettime: 228,
  exit_group: 231,
  openat: 257,
  unshare: 272,
  signalfd4: 289,
  seccomp: 317,
  getrandom: 318,
  open_tree: 428,
  move_mount: 429,
  mount_setattr: 442,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

export class CallFailure extends Error {
  readonly errno: number;

  constructor(what: string, errno: number) {
    super(`${what}: ${errnoName(errno)}`);
    this.errno = errno;
  }
}

/** @returns the call's result, or the negative error number */
export function attempt(name: keyof typeof SYS, ...args: Argument[]): number {
  const plain = args.map((value) =>
    value instanceof DataView
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : value,
  );
  return engine.syscall(SYS[name], ...plain);
}

/** @param about what the call is about, for the error @throws CallFailure */
export function call(about: string, name: keyof typeof SYS, ...args: Argument[]): number {
  const result = attempt(name, ...args);
  if (result < 0) throw new CallFailure(`${name} ${about}`, -result);
  return result;
}

export const addressOf = (view: Uint8Array): number => engine.address(view);

export const textOf = (bytes: Uint8Array): string => engine.decode(bytes);

export const bytesOf = (text: string): Uint8Array => new Uint8Array(engine.encode(text));

export const programArguments = (): readonly string[] => engine.arguments;
