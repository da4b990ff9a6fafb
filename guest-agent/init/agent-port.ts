/** The virtio-console port that leads to the host (Linux drivers/char/virtio_console.c, virtio 1.2 §5.3). */

import { listFolder, readTextIfAny } from "../container/file-access.ts";
import { F_SETFL, F_SETOWN, O_ASYNC, O_CLOEXEC, O_NONBLOCK, O_RDWR } from "../linux/fcntl.ts";
import { POLLHUP, POLLIN, POLLOUT } from "../linux/poll.ts";
import {
  AF_NETLINK,
  NETLINK_KOBJECT_UEVENT,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOCKADDR_NL,
} from "../linux/socket.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/** name that the host gives the port */
const PORT_NAME = "dvm.agent";
const PORTS = "/sys/class/virtio-ports";
/** The driver has pages of this size for input and hands out one at a time, in `bytes`. */
const INPUT_PAGE = 4096;
/** How long the host's port may take to appear after the device before it, in `milliseconds`. */
const PORT_TIMEOUT = 5_000;
/** the kernel's own multicast group of device events */
const KERNEL_EVENTS = 1;
/** longest event (UEVENT_BUFFER_SIZE) with its header, in `bytes`; the rest of a longer one would be dropped */
const MAX_EVENT = 4096;
/** Pieces that one turn reads at most, so that other descriptors have theirs. */
const PIECES_A_TURN = 16;
/** Longest piece that the driver takes at a time (drivers/char/virtio_console.c port_fops_write), in `bytes`. */
const OUTPUT_PIECE = 32 * 1024;
export interface PortHandlers {
  /** bytes came; the view is valid during the call */
  readonly onData: (bytes: Uint8Array) => void;
  /** the host closed its end */
  readonly onLost: () => void;
  /** the next bytes to send, or nothing */
  readonly nextOutput: () => Uint8Array | undefined;
}

/**
 * Opens the port, once the driver has made it: it asks the host for its ports while init starts already.
 *
 * @throws Error when it does not appear
 */
export function openAgentPort(sys: Syscalls): Fd {
  const open = (device: string) => sys.open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const device = findPort(sys);
  if (device !== undefined) return open(device);
  // Listening first, then looking again: an event between the two is not missed.
  const events = listenForDevices(sys);
  const event = new Uint8Array(MAX_EVENT);
  try {
    for (;;) {
      const found = findPort(sys);
      if (found !== undefined) return open(found);
      const [ready = 0] = sys.poll([{ fd: events, events: POLLIN }], PORT_TIMEOUT);
      if (ready === 0) throw new Error(`no virtio-console port with the name ${PORT_NAME}`);
      sys.read(events, event);
    }
  } finally {
    sys.close(events);
  }
}

/** A socket that is readable when a device appears or changes (Linux lib/kobject_uevent.c). */
function listenForDevices(sys: Syscalls): Fd {
  const socket = sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  const address = new Uint8Array(SOCKADDR_NL.size);
  const view = new DataView(address.buffer);
  view.setUint16(SOCKADDR_NL.fields.nl_family.offset, AF_NETLINK, true);
  view.setUint32(SOCKADDR_NL.fields.nl_groups.offset, KERNEL_EVENTS, true);
  sys.bind(socket, address);
  return socket;
}

function findPort(sys: Syscalls): string | undefined {
  let ports: string[];
  try {
    ports = listFolder(sys, PORTS);
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return undefined;
    throw error;
  }
  for (const port of ports) {
    if (readTextIfAny(sys, `${PORTS}/${port}/name`)?.trim() === PORT_NAME) return `/dev/${port}`;
  }
  return undefined;
}

/**
 * Carries bytes between the port and its handlers.
 *
 * While the host's end is closed, poll(2) says POLLHUP without pause; the port is then left out of the loop until
 * the driver's SIGIO says that the host is back.
 */
export class AgentPort {
  readonly #sys: Syscalls;
  readonly #fd: Fd;
  readonly #handlers: PortHandlers;
  readonly #watch: Watch;
  readonly #input = new Uint8Array(INPUT_PAGE);
  /** what the port has not taken of the last piece */
  #unsent: Uint8Array | undefined;
  #connected = true;

  constructor(sys: Syscalls, loop: EventLoop, fd: Fd, handlers: PortHandlers) {
    this.#sys = sys;
    this.#fd = fd;
    this.#handlers = handlers;
    this.#watch = loop.watch(fd, POLLIN, (revents) => this.#ready(revents));
    sys.fcntl(fd, F_SETOWN, sys.getpid());
  }

  /** Sends what there is, as far as the port takes it; the rest follows by itself. */
  flush(): void {
    if (!this.#connected) return;
    for (;;) {
      const piece = this.#unsent ?? this.#handlers.nextOutput();
      if (piece === undefined) break;
      const written = this.#write(piece);
      this.#unsent = written < piece.length ? piece.subarray(written) : undefined;
      if (written === 0) {
        this.#watch.events = POLLIN | POLLOUT;
        return;
      }
    }
    this.#watch.events = POLLIN;
  }

  /** Whether all output has gone to the host, or cannot. */
  get idle(): boolean {
    return this.#unsent === undefined || !this.#connected;
  }

  /** The driver's SIGIO: the host may be back. */
  onSignal(): void {
    if (this.#connected || this.#hungUp()) return;
    this.#connected = true;
    this.#sys.fcntl(this.#fd, F_SETFL, O_NONBLOCK);
    this.#watch.events = POLLIN;
    this.flush();
  }

  #ready(revents: number): void {
    // What the host sent before it went is still to be read; a read of nothing is the end.
    if ((revents & (POLLIN | POLLHUP)) !== 0) this.#receive();
    if ((revents & POLLOUT) !== 0) this.flush();
  }

  #receive(): void {
    for (let piece = 0; piece < PIECES_A_TURN; piece++) {
      const length = this.#read();
      if (length === undefined) return;
      if (length === 0) {
        this.#disconnect();
        return;
      }
      this.#handlers.onData(this.#input.subarray(0, length));
      if (length < INPUT_PAGE) return;
    }
  }

  #disconnect(): void {
    this.#connected = false;
    this.#unsent = undefined;
    this.#watch.events = 0;
    this.#handlers.onLost();
    this.#sys.fcntl(this.#fd, F_SETFL, O_NONBLOCK | O_ASYNC);
    // It may have come back before the driver knew whom to signal.
    this.onSignal();
  }

  #hungUp(): boolean {
    const [revents = 0] = this.#sys.poll([{ fd: this.#fd, events: POLLIN }], 0);
    return (revents & POLLHUP) !== 0;
  }

  /** `undefined` when there is nothing to read now, 0 when the host's end is closed. */
  #read(): number | undefined {
    try {
      return this.#sys.read(this.#fd, this.#input);
    } catch (error) {
      if (isSyscallError(error, "EAGAIN")) return undefined;
      throw error;
    }
  }

  #write(bytes: Uint8Array): number {
    try {
      return this.#sys.writeInPieces(this.#fd, bytes, OUTPUT_PIECE);
    } catch (error) {
      if (isSyscallError(error, "EAGAIN")) return 0;
      throw error;
    }
  }
}
