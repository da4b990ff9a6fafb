/** What a container and its processes are made of: the OCI runtime-spec's terms, cut to what a guest applies. */

import {
  array,
  boolean,
  type Infer,
  integer,
  object,
  oneOf,
  optional,
  record,
  string,
  union,
} from "./schema.ts";

const uint32 = integer(0, 0xffff_ffff);
const limit = integer(-1);

/** Limits; each becomes a cgroup v2 file in the guest. `-1` is "no limit" where a limit is meant. */
export const resources = object({
  /** memory, in `bytes` */
  memory: optional(limit),
  /** memory that is kept in spite of pressure, in `bytes` */
  memoryReservation: optional(limit),
  /** memory plus swap, in `bytes` (Docker's --memory-swap) */
  memorySwap: optional(limit),
  /** CPU time per period, in `microseconds` */
  cpuQuota: optional(limit),
  /** CPU period, in `microseconds` */
  cpuPeriod: optional(integer(1000, 1_000_000)),
  /** relative CPU weight, Docker's scale of 2 to 262144 */
  cpuShares: optional(integer(0, 262_144)),
  /** CPUs that may be used, as a list such as `0-2,4` */
  cpusetCpus: optional(string),
  /** memory nodes that may be used, as a list */
  cpusetMems: optional(string),
  /** most processes and threads */
  pids: optional(limit),
});
export type Resources = Infer<typeof resources>;

/** Where memory goes for which there is no room; the limit of it is `memorySwap`. */
export const swapSpec = object({
  /** serial of the virtio disk, which holds the header of a swap area */
  serial: string,
  /** how readily memory is swapped out, 0 to 100; absent: the kernel's own 60 */
  swappiness: optional(integer(0, 100)),
});
export type SwapSpec = Infer<typeof swapSpec>;

export const rlimit = object({
  /** name in lower case without `RLIMIT_`, such as `nofile` */
  name: string,
  soft: limit,
  hard: limit,
});
export type Rlimit = Infer<typeof rlimit>;

export const terminalSize = object({
  rows: integer(0, 0xffff),
  columns: integer(0, 0xffff),
});
export type TerminalSize = Infer<typeof terminalSize>;

/** How a process is connected; the host chooses the stream numbers. */
export const stdio = object({
  /** stream from host to guest; absent: the process reads end of file */
  stdin: optional(uint32),
  /** stream from guest to host; with a terminal it carries all output */
  stdout: optional(uint32),
  stderr: optional(uint32),
});
export type Stdio = Infer<typeof stdio>;

/** A process in a container: its first, or one brought in by exec. */
export const processSpec = object({
  /** program and arguments, at least one */
  args: array(string),
  /** `NAME=value`, in order */
  env: array(string),
  /** working directory; made when missing, as Docker does */
  cwd: string,
  /** `user[:group]`, names or numbers, resolved against the image; empty: root */
  user: string,
  /** more groups, names or numbers */
  additionalGroups: array(string),
  /** initial size of the controlling terminal; absent: no terminal */
  terminal: optional(terminalSize),
  /** capabilities on top of Docker's default set, such as `NET_ADMIN` or `ALL` */
  capAdd: array(string),
  /** capabilities taken from Docker's default set */
  capDrop: array(string),
  /** every capability, no seccomp filter, no masked paths */
  privileged: boolean,
  noNewPrivileges: boolean,
  /** `default`, `unconfined`, or a profile in Docker's JSON format */
  seccomp: string,
  rlimits: array(rlimit),
  oomScoreAdj: optional(integer(-1000, 1000)),
  stdio,
});
export type ProcessSpec = Infer<typeof processSpec>;

/** Where the container's root comes from. */
export const rootfs = object({
  /** serial of the virtio disk with the read-only EROFS image; empty: there is none */
  imageSerial: string,
  /** what takes the writes, and whether it is above the image or in its place */
  upper: union("kind", {
    disk: object({ /** serial of the virtio disk with ext4 */ serial: string }),
    tmpfs: object({ /** most bytes that it may hold; 0: half of memory */ size: integer() }),
    /** the whole root: what has changed is told by comparing it with the image */
    whole: object({
      /** serial of the virtio disk with ext4 */
      serial: string,
      /** folder of the disk that is the root */
      folder: string,
    }),
    /** the same as a folder of the host */
    share: object({ /** name of what the host shares */ name: string }),
  }),
  /** whether the container sees its root read-only */
  readOnly: boolean,
});
export type Rootfs = Infer<typeof rootfs>;

/** A mount beyond the OCI defaults. */
export const mountSpec = object({
  destination: string,
  type: oneOf("tmpfs", "virtiofs", "disk", "bind"),
  /** name of what the host shares, disk serial, or path in the guest; empty for tmpfs */
  source: string,
  /** options as mount(8) writes them */
  options: array(string),
  /** file or folder in the share or disk that is mounted; absent: its root */
  subpath: optional(string),
  /** whether a folder that is empty first gets what the image has at the destination, owner and mode included */
  copyUp: optional(boolean),
});
export type MountSpec = Infer<typeof mountSpec>;

/**
 * Work on a container's files, between a process's streams. It fails with exit code 1 and a JSON text with `code` and
 * `message` on its standard error.
 */
export const fileTask = union("kind", {
  /** a line of JSON with `name`, `size`, `mode`, `mtime` and for a link `linkTarget` */
  stat: object({ path: string }),
  /** the same line, then the file or folder as tar */
  read: object({ path: string }),
  /** unpacks the tar on its standard input into the folder */
  write: object({ path: string, noOverwriteDirNonDir: boolean }),
  /** the whole root as tar */
  export: object({}),
  /** what differs from the image: `added PATH`, `modified PATH` or `deleted PATH`, each ended by a NUL */
  changes: object({}),
  /** the same as a layer of an image */
  layer: object({}),
});
export type FileTask = Infer<typeof fileTask>;

/** What /etc/resolv.conf says. */
export const dns = object({
  servers: array(string),
  search: array(string),
  options: array(string),
});

const deviceAccess = object({ read: boolean, write: boolean });

/** A device that a container has beside Docker's default ones. */
export const deviceSpec = object({
  /** clean path below /dev */
  path: string,
  /** a character device of the guest's kernel, or one of the machine's disks */
  device: union("kind", {
    character: object({ major: uint32, minor: uint32 }),
    disk: object({ serial: string }),
  }),
  access: deviceAccess,
});
export type DeviceSpec = Infer<typeof deviceSpec>;

/** Devices that may be opened whichever nodes there are; an absent number stands for all. */
export const deviceRule = object({
  type: oneOf("all", "character", "block"),
  major: optional(uint32),
  minor: optional(uint32),
  access: deviceAccess,
});
export type DeviceRule = Infer<typeof deviceRule>;

export const containerSpec = object({
  hostname: string,
  domainname: string,
  rootfs,
  mounts: array(mountSpec),
  /** size of /dev/shm, in `bytes` */
  shmSize: integer(),
  /** lines for /etc/hosts beyond the standard ones: `address name…` */
  extraHosts: array(string),
  dns,
  /** kernel parameters of the container's namespaces, name with dots to value */
  sysctls: record(string),
  resources,
  /** absent: the machine has none of the container's own */
  swap: optional(swapSpec),
  /** `private` or `host` (the guest's own), for each namespace that may be shared with the guest */
  namespaces: object({
    network: oneOf("private", "guest"),
    pid: oneOf("private", "guest"),
    ipc: oneOf("private", "guest"),
    uts: oneOf("private", "guest"),
    cgroup: oneOf("private", "guest"),
    /** `private` maps the container's root to an unprivileged user of the guest */
    user: oneOf("private", "guest"),
  }),
  /** containers of this machine, by namespace, whose own it has instead; with the network come its files in /etc */
  joins: optional(
    object({ network: optional(string), pid: optional(string), ipc: optional(string) }),
  ),
  /** whether other containers may have its IPC namespace, and its /dev/shm with that */
  shareableIpc: optional(boolean),
  privileged: boolean,
  /** absent: none beside the default ones */
  devices: optional(array(deviceSpec)),
  deviceRules: optional(array(deviceRule)),
  /** whether a small init reaps zombies and forwards signals as process 1 of the container */
  init: boolean,
});
export type ContainerSpec = Infer<typeof containerSpec>;
