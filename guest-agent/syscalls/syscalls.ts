/**
 * The privileged calls that the agent makes, one method a system call, in the kernel's spelling.
 *
 * Every failure is thrown as a `SyscallError`. Strings are bytes-safe: a byte that is not part of valid UTF-8
 * appears as the lone surrogate U+DC00 + byte and turns back into the same byte on the way to the kernel.
 */

/** A file descriptor. */
export type Fd = number;

/** What stat(2) tells of a file; 64-bit fields are exact up to 2^53. */
export interface Stat {
  readonly dev: number;
  readonly ino: number;
  /** file type and permission bits, see `linux/stat.ts` */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** device number of a device node, see `makedev` in `linux/stat.ts` */
  readonly rdev: number;
  /** in `bytes` */
  readonly size: number;
  /** time of the last change of its content since the epoch, in `seconds` */
  readonly mtime: number;
  /** time of the last change of anything about it, which no program can set, in `seconds` */
  readonly ctime: number;
}

/** One entry of a folder, without `.` and `..`. */
export interface DirectoryEntry {
  readonly name: string;
  /** `DT_*` of `linux/dirent.ts`; DT_UNKNOWN where the file system does not tell */
  readonly type: number;
}

/** A child that wait4(2) reaped. */
export interface WaitResult {
  readonly pid: number;
  /** raw wait status, read with `linux/wait.ts` */
  readonly status: number;
}

export interface CloneOptions {
  /** `CLONE_*` of `linux/sched.ts`, without the exit signal, which is SIGCHLD */
  readonly flags: number;
  /** open cgroup v2 folder that the child is born in (CLONE_INTO_CGROUP) */
  readonly cgroup?: Fd;
}

export interface MountOptions {
  /** device, or the file system's name for itself */
  readonly source: string;
  readonly target: string;
  /** file system; absent for MS_BIND, MS_REMOUNT, MS_MOVE and propagation changes */
  readonly type?: string;
  /** `MS_*` of `linux/mount.ts` */
  readonly flags?: number;
  /** options of the file system, comma separated */
  readonly data?: string;
}

/** What mount_setattr(2) changes of a mount. */
export interface MountAttributes {
  /** `MOUNT_ATTR_*` of `linux/mount.ts` */
  readonly set: number;
  /** namespace whose mapping MOUNT_ATTR_IDMAP gives the mount */
  readonly userNamespace: Fd;
}

export interface OpenHow {
  /** `O_*` of `linux/fcntl.ts` */
  readonly flags: number;
  /** permission bits of a file that is created */
  readonly mode?: number;
  /** `RESOLVE_*` of `linux/openat2.ts` */
  readonly resolve?: number;
}

export interface ResourceLimit {
  /** `number` or `RLIM_INFINITY` of `linux/resource.ts` */
  readonly soft: number;
  readonly hard: number;
}

/** The three 64-bit capability sets of capset(2), bit n = capability n. */
export interface CapabilitySets {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

export interface PollFd {
  readonly fd: Fd;
  /** `POLL*` of `linux/poll.ts` that are waited for */
  readonly events: number;
}

export interface FileSystemStat {
  /** magic number of the file system */
  readonly type: number;
  /** in `bytes` */
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
}

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

export interface TimeSpec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Processes and signals. */
export interface ProcessCalls {
  /** Returns 0 in the child, which carries on in a copy of the interpreter. */
  fork(): number;
  /** fork into new namespaces (CLONE_NEW*) or a cgroup, by clone3(2). */
  clone(options: CloneOptions): number;
  unshare(flags: number): void;
  /** Joins the namespace behind `fd`; `type` is the CLONE_NEW* that it must be, 0 for any. */
  setns(fd: Fd, type: number): void;
  /** Replaces the process; comes back only by throwing. */
  execve(path: string, argv: readonly string[], envp: readonly string[]): never;
  /** Ends the process at once (exit_group). */
  exit(code: number): never;
  /** `undefined` when WNOHANG was asked for and no child has ended; ECHILD when there is no child. */
  wait4(pid: number, options: number): WaitResult | undefined;
  /** pid as in kill(2): negative for a process group, -1 for all. */
  kill(pid: number, signal: number): void;
  getpid(): number;
  setsid(): number;
  setpgid(pid: number, group: number): void;
  pidfd_open(pid: number): Fd;
  /** Copies descriptor `fd` of the process behind `pidfd` into this one, close-on-exec. */
  pidfd_getfd(pidfd: Fd, fd: Fd): Fd;
  pidfd_send_signal(pidfd: Fd, signal: number): void;
  /** Blocks exactly `signals` (SIG_SETMASK). */
  sigprocmask(signals: readonly number[]): void;
  /** Non-blocking, close-on-exec descriptor that becomes readable on one of `signals`, which must be blocked. */
  signalfd(signals: readonly number[]): Fd;
  prctl(option: number, arg2?: number, arg3?: number, arg4?: number, arg5?: number): number;
  /** Names the calling thread (PR_SET_NAME), 15 bytes are kept. */
  prctlName(name: string): void;
  prlimit64(pid: number, resource: number, limit?: ResourceLimit): ResourceLimit;
  setpriority(which: number, who: number, priority: number): void;
  umask(mask: number): number;
}

/** A program for the kernel's virtual machine. */
export interface BpfProgram {
  /** BPF_PROG_TYPE_* */
  readonly type: number;
  /** BPF_* of the place that it is for */
  readonly attachType: number;
  /** 8 bytes an instruction */
  readonly instructions: Uint8Array;
}

export interface BpfAttachment {
  readonly program: Fd;
  readonly target: Fd;
  readonly attachType: number;
  /** BPF_F_* */
  readonly flags: number;
}

/** Identity and privilege. */
export interface PrivilegeCalls {
  getuid(): number;
  getgid(): number;
  setgroups(groups: readonly number[]): void;
  setresuid(real: number, effective: number, saved: number): void;
  setresgid(real: number, effective: number, saved: number): void;
  capset(sets: CapabilitySets): void;
  capget(): CapabilitySets;
  /** Loads a classic BPF program, 8 bytes an instruction (seccomp(2) SECCOMP_SET_MODE_FILTER). */
  seccomp(flags: number, program: Uint8Array): void;
  /** Loads a BPF program that is to be attached as `attachType` says (bpf(2) BPF_PROG_LOAD), close-on-exec. */
  bpf_prog_load(program: BpfProgram): Fd;
  /** Attaches it to the control group behind `target` (bpf(2) BPF_PROG_ATTACH). */
  bpf_prog_attach(options: BpfAttachment): void;
}

/** Mounts and roots. */
export interface MountCalls {
  mount(options: MountOptions): void;
  umount2(target: string, flags: number): void;
  pivot_root(newRoot: string, putOld: string): void;
  chroot(path: string): void;
  chdir(path: string): void;
  fchdir(fd: Fd): void;
  /** `OPEN_TREE_*` and `AT_*` flags of `linux/mount.ts` and `linux/fcntl.ts`. */
  open_tree(dirfd: Fd, path: string, flags: number): Fd;
  /** Attaches the detached mount behind `from` at `path`. */
  move_mount(from: Fd, dirfd: Fd, path: string, flags: number): void;
  /** Changes the mount behind `mount`; `flags` are `AT_*` of `linux/fcntl.ts`, AT_EMPTY_PATH among them. */
  mount_setattr(mount: Fd, flags: number, attributes: MountAttributes): void;
  statfs(path: string): FileSystemStat;
}

/** Files by path and descriptor. */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Fd;
  openat(dirfd: Fd, path: string, flags: number, mode?: number): Fd;
  openat2(dirfd: Fd, path: string, how: OpenHow): Fd;
  close(fd: Fd): void;
  /** Closes every descriptor from `first` on. */
  close_range(first: Fd, last: Fd, flags: number): void;
  /** Number of bytes read into `buffer`; 0 at the end. */
  read(fd: Fd, buffer: Uint8Array): number;
  /** Number of bytes of `bytes` written, possibly fewer than all. */
  write(fd: Fd, bytes: Uint8Array): number;
  /** The same for a driver that takes no more than `piece` at a time: it is called several times, at most eight. */
  writeInPieces(fd: Fd, bytes: Uint8Array, piece: number): number;
  lseek(fd: Fd, offset: number, whence: number): number;
  ftruncate(fd: Fd, length: number): void;
  fsync(fd: Fd): void;
  pipe2(flags: number): { readonly reader: Fd; readonly writer: Fd };
  dup3(from: Fd, to: Fd, flags: number): Fd;
  fcntl(fd: Fd, command: number, argument: number): number;
  stat(path: string): Stat;
  lstat(path: string): Stat;
  fstat(fd: Fd): Stat;
  /** Entries of the open folder `fd`, in the file system's order. */
  getdents64(fd: Fd): DirectoryEntry[];
  readlink(path: string): string;
  readlinkat(dirfd: Fd, path: string): string;
  mkdir(path: string, mode: number): void;
  mkdirat(dirfd: Fd, path: string, mode: number): void;
  /** `mode` holds the file type; `device` as of `makedev`, 0 for a plain file. */
  mknod(path: string, mode: number, device: number): void;
  symlink(target: string, path: string): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  rmdir(path: string): void;
  chmod(path: string, mode: number): void;
  fchmod(fd: Fd, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  lchown(path: string, uid: number, gid: number): void;
  fchown(fd: Fd, uid: number, gid: number): void;
  /** Gives the file, or the link itself, its times. @param time since the epoch, in `seconds` */
  utimensat(path: string, time: number): void;
  setxattr(path: string, name: string, value: Uint8Array, flags: number): void;
  getxattr(path: string, name: string): Uint8Array;

  /**
   * The poll(2) `revents` of the descriptors, in order, up to the last that has any; waits for ever when no timeout in
   * `milliseconds` is given.
   */
  poll(fds: readonly PollFd[], timeout?: number): number[];
}

/** Terminals and devices. */
export interface DeviceCalls {
  /** ioctl(2) with an integer argument. */
  ioctl(fd: Fd, request: number, argument: number): number;
  /** ioctl(2) with a structure that the kernel reads or fills. */
  ioctlBuffer(fd: Fd, request: number, buffer: Uint8Array): number;
  /** New pseudo terminal of the devpts at `ptmx`: its master, non-blocking and close-on-exec, and its number. */
  openPty(ptmx: string): { readonly master: Fd; readonly number: number };
  setWindowSize(fd: Fd, size: WindowSize): void;
}

/** The machine as a whole. */
export interface MachineCalls {
  sethostname(name: string): void;
  /** Has memory swapped to the device at `path`; `flags` are `SWAP_FLAG_*` of `linux/swap.ts`. */
  swapon(path: string, flags: number): void;
  swapoff(path: string): void;
  setdomainname(name: string): void;
  /** Release of the running kernel (uname). */
  uname(): { readonly release: string };
  /** Memory that the kernel has, in `bytes`. */
  sysinfo(): { readonly total: number; readonly free: number };
  sync(): void;
  /** `LINUX_REBOOT_CMD_*` of `linux/reboot.ts`. */
  reboot(command: number): void;
  clock_settime(clock: number, time: TimeSpec): void;
  clock_gettime(clock: number): TimeSpec;
  getrandom(length: number): Uint8Array;
  socket(domain: number, type: number, protocol: number): Fd;
  /** Gives a socket its address, a structure such as sockaddr_nl. */
  bind(socket: Fd, address: Uint8Array): void;
}

/** All of them; the kernel's are made by `kernelSyscalls`, a test's by `RecordingSyscalls`. */
export interface Syscalls
  extends ProcessCalls,
    PrivilegeCalls,
    MountCalls,
    FileCalls,
    DeviceCalls,
    MachineCalls {}

/**
 * A system call that failed. It is an `Error` by its prototype alone and has no stack: QuickJS takes half a million
 * instructions to describe one, and most of these errors are answers that their caller waits for.
 */
export class SyscallError implements Error {
  readonly name = "SyscallError";
  readonly message: string;
  /** name of the call, `mount` */
  readonly call: string;
  /** positive error number */
  readonly errno: number;
  /** the error's name in C, `ENOENT` */
  readonly code: string;
  /** path, or whatever the call was about; empty when there is none */
  readonly subject: string;

  constructor(call: string, errno: number, code: string, subject = "") {
    this.message = `${call}${subject === "" ? "" : ` ${subject}`}: ${code}`;
    this.call = call;
    this.errno = errno;
    this.code = code;
    this.subject = subject;
  }
}
Object.setPrototypeOf(SyscallError.prototype, Error.prototype);

/** Whether `error` is a failed system call, of one of `codes` when any are given. */
export function isSyscallError(error: unknown, ...codes: string[]): error is SyscallError {
  return error instanceof SyscallError && (codes.length === 0 || codes.includes(error.code));
}
