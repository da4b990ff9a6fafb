/** Requests to the kernel about links, addresses and routes, and its answers (rtnetlink(7)). */

import { errnoName } from "../linux/errno.ts";
import * as rt from "../linux/rtnetlink.ts";
import { AF_NETLINK, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW } from "../linux/socket.ts";
import { type Fd, SyscallError, type Syscalls } from "../syscalls/syscalls.ts";

/** An attribute: type and value. */
export type Attribute = readonly [number, Uint8Array];

export interface RouteRequest {
  /** `NLM_F_*` beside those that every request has */
  readonly flags?: number;
  readonly body: Uint8Array;
  readonly attributes?: readonly Attribute[];
}

/** an answer of the kernel is an error with the head of the request at most, in `bytes` */
const MAX_ANSWER = 4096;

/** Opens a socket for the requests that `step` makes. @param subject what they are about, for their errors */
export function withRouteSocket(
  sys: Syscalls,
  subject: string,
  step: (socket: RouteSocket) => void,
): void {
  const fd = sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  try {
    step(new RouteSocket(sys, fd, subject));
  } finally {
    sys.close(fd);
  }
}

export class RouteSocket {
  readonly #sys: Syscalls;
  readonly #socket: Fd;
  readonly #subject: string;

  constructor(sys: Syscalls, socket: Fd, subject: string) {
    this.#sys = sys;
    this.#socket = socket;
    this.#subject = subject;
  }

  /** Sends one request and waits for the answer, an error number of 0 when it is done. @throws SyscallError */
  ask(type: number, { flags = 0, body, attributes = [] }: RouteRequest): void {
    const { nlmsg_len, nlmsg_type, nlmsg_flags } = rt.NLMSGHDR.fields;
    const header = new Uint8Array(rt.NLMSGHDR.size);
    const message = concatenate([header, body, encodeAttributes(attributes)]);
    const view = new DataView(message.buffer);
    view.setUint32(nlmsg_len.offset, message.length, true);
    view.setUint16(nlmsg_type.offset, type, true);
    view.setUint16(nlmsg_flags.offset, rt.NLM_F_REQUEST | rt.NLM_F_ACK | flags, true);
    this.#sys.write(this.#socket, message);
    const answer = new Uint8Array(MAX_ANSWER);
    this.#sys.read(this.#socket, answer);
    const errno = -new DataView(answer.buffer).getInt32(rt.NLMSGHDR.size, true);
    if (errno !== 0) throw new SyscallError("netlink", errno, errnoName(errno), this.#subject);
  }
}

/** Each: length and type in 16 bits, the value, filled up to 4 bytes. */
export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  return concatenate(attributes.map(encodeAttribute));
}

function encodeAttribute([type, value]: Attribute): Uint8Array {
  const length = 4 + value.length;
  const attribute = new Uint8Array((length + 3) & ~3);
  const view = new DataView(attribute.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  attribute.set(value, 4);
  return attribute;
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
