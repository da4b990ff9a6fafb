/** The messages of the protocol: JSON texts in MESSAGE frames, each described by a schema. */

import {
  containerSpec,
  dns,
  fileTask,
  processSpec,
  resources,
  stdio,
  terminalSize,
} from "./container-spec.ts";
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

const none = object({});
const uint32 = integer(0, 0xffff_ffff);

const networkInterface = object({
  /** MAC address of the virtio-net device to configure */
  mac: string,
  /** MAC address that the device still has, of the template that the machine is a clone of; absent: `mac` */
  clonedMac: optional(string),
  /** MAC address of the device that is to carry this one's frames, which is made on it; absent: it has a card of its own */
  carrier: optional(string),
  /** name in the guest, such as `eth0` */
  name: string,
  /** `address/prefix` */
  addresses: array(string),
  /** addresses of the default routers, at most one per family */
  gateways: array(string),
  mtu: integer(68, 65_535),
});

const leavingInterface = object({
  mac: string,
  /** whether it was made on another's card, and goes; a card stays */
  carried: boolean,
  /** `address/prefix` */
  addresses: array(string),
  gateways: array(string),
});

const port = integer(1, 65_535);

const inContainer = { container: string };
const inProcess = {
  container: string,
  /** the container's first process is `init` */ process: string,
};

/** What the host asks for. Every request gets one `reply` or `failure`. */
const requests = {
  /** what a booted or cloned machine must know before its first container */
  "machine.configure": object({
    /** wall clock, nanoseconds since the epoch in decimal; absent: the guest's clock is right */
    clock: optional(string),
    /** seed for the kernel's entropy pool, base64, at most 512 bytes */
    entropy: optional(string),
    hostname: optional(string),
    interfaces: array(networkInterface),
  }),
  /** ends all containers, unmounts, and turns the machine off; the reply comes before */
  "machine.shutdown": none,
  "machine.ping": none,
  "container.create": object({ ...inContainer, spec: containerSpec }),
  /** starts the container's first process; the reply holds `pid` */
  "container.start": object({ ...inContainer, process: processSpec }),
  /** a further process in a running container; the reply holds `pid` */
  "container.exec": object({ ...inProcess, spec: processSpec }),
  /** work on the container's files, whether it runs or not, as a process of this name; the reply holds `pid` */
  "container.files": object({ ...inProcess, task: fileTask, stdio }),
  "process.signal": object({ ...inProcess, /** number, 1 to 64 */ signal: integer(1, 64) }),
  "process.resize": object({ ...inProcess, size: terminalSize }),
  "container.pause": object(inContainer),
  "container.resume": object(inContainer),
  "container.update": object({ ...inContainer, resources }),
  /** other networks for a machine that runs; the container's files follow */
  "container.network": object({
    ...inContainer,
    /** interfaces that leave their networks, first */
    disconnect: array(leavingInterface),
    /** interfaces that are made, or are told their addresses and routers again */
    connect: array(networkInterface),
    /** lines of /etc/hosts */
    hosts: object({ remove: array(string), add: array(string) }),
    dns,
  }),
  /** sockets that wait for somebody out there; the reply holds `listeners` */
  "machine.listeners": object({
    /** TCP ports that are looked for among connections too */
    held: array(port),
  }),
  /** the reply holds `stats` */
  "container.stats": object(inContainer),
  /** the reply holds `processes` */
  "container.processes": object(inContainer),
  /** kills what runs, unmounts and forgets */
  "container.remove": object(inContainer),
};

export const request = union("type", requests);
export type Request = Infer<typeof request>;
export type RequestType = Request["type"];
/** A request of one type. */
export type RequestOf<T extends RequestType> = Extract<Request, { readonly type: T }>;

export const listener = object({
  protocol: oneOf("tcp", "udp"),
  port,
  /** whether it waits for somebody; else connections are what is left of it */
  waits: boolean,
});
export type Listener = Infer<typeof listener>;

export const containerStats = object({
  /** memory in use, in `bytes` */
  memoryBytes: integer(),
  /** memory limit, in `bytes`; the machine's memory when there is none */
  memoryLimitBytes: integer(),
  /** file cache that can be given back, in `bytes` */
  memoryInactiveFileBytes: integer(),
  /** CPU time used, in `microseconds` */
  cpuMicroseconds: integer(),
  /** CPU time used in user and in kernel mode, in `microseconds` */
  cpuUserMicroseconds: integer(),
  cpuSystemMicroseconds: integer(),
  /** processes and threads */
  pids: integer(),
  /** bytes read and written by block devices */
  ioReadBytes: integer(),
  ioWriteBytes: integer(),
  /** received and sent bytes by interface name */
  networks: record(object({ receivedBytes: integer(), sentBytes: integer() })),
  /** number of processes killed for want of memory */
  oomKills: integer(),
});
export type ContainerStats = Infer<typeof containerStats>;

export const processInfo = object({
  pid: uint32,
  ppid: uint32,
  uid: uint32,
  /** start time since the machine's boot, in `milliseconds` */
  started: integer(),
  /** CPU time used, in `milliseconds` */
  cpu: integer(),
  /** terminal, such as `pts/0`, or `?` */
  terminal: string,
  command: string,
});
export type ProcessInfo = Infer<typeof processInfo>;

/** What went wrong in the guest, as the user will read it. */
export const failure = object({
  /** stable name, such as `COMMAND_NOT_FOUND` */
  code: string,
  message: string,
  /** Docker's exit code for it: 125, 126 or 127 */
  exitCode: integer(1, 255),
});
export type Failure = Infer<typeof failure>;

const exited = {
  ...inProcess,
  /** exit status, or 128 plus the signal's number */
  code: integer(0, 255),
  /** whether the kernel killed something in the container for want of memory */
  oomKilled: boolean,
};

/** What the guest says. */
export const fromGuest = union("type", {
  /** the agent is ready; the first message after the synchronisation */
  hello: object({
    version: integer(),
    /** kernel release, as uname -r has it */
    kernel: string,
    /** memory that the guest's kernel has, in `bytes` */
    memoryBytes: integer(),
    /** since the kernel started, in `microseconds` */
    uptime: integer(),
    /** running containers with their processes, for a host that comes back */
    containers: record(array(string)),
  }),
  reply: object({
    id: uint32,
    pid: optional(uint32),
    stats: optional(containerStats),
    processes: optional(array(processInfo)),
    listeners: optional(array(listener)),
  }),
  failure: object({ id: uint32, error: failure }),
  /** sent once for each started process, after the last byte of its output was queued; repeated after a reconnection until the container is removed */
  "process.exit": object(exited),
  /** the kernel killed a process of the container for want of memory */
  "container.oom": object(inContainer),
  /** a line for the host's log */
  log: object({ text: string }),
});
export type FromGuest = Infer<typeof fromGuest>;

/** What the host says: a request under a number of its own choice. */
export const fromHost = object({ id: uint32, request });
export type FromHost = Infer<typeof fromHost>;
