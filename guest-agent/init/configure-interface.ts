/** A network interface of the machine: found by its MAC address, given its own if it is a clone's, named, addressed, brought up, routed through. */

import { containerError } from "../container/errors.ts";
import { listFolder, readText } from "../container/file-access.ts";
import { encodeText } from "../container/text.ts";
import { errnoName } from "../linux/errno.ts";
import { IFF_UP } from "../linux/if.ts";
import * as rt from "../linux/rtnetlink.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  NETLINK_ROUTE,
  SOCK_CLOEXEC,
  SOCK_RAW,
} from "../linux/socket.ts";
import type { RequestOf } from "../protocol/index.ts";
import { type Fd, SyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { parseIpAddress } from "./ip-address.ts";

export type Interface = RequestOf<"machine.configure">["interfaces"][number];

/** index of `lo`, the first device of every network namespace (LOOPBACK_IFINDEX) */
const LOOPBACK = 1;
const DEVICES = "/sys/class/net";
/** an answer of the kernel is an error with the head of the request at most, in `bytes` */
const MAX_ANSWER = 4096;

/** An attribute: type and value. */
type Attribute = readonly [number, Uint8Array];

/** Brings the loopback device of the machine up. @throws SyscallError */
export function bringUpLoopback(sys: Syscalls): void {
  const socket = openSocket(sys);
  try {
    const body = linkBody(LOOPBACK, IFF_UP);
    const attributes: Attribute[] = [];
    request({ sys, socket, type: rt.RTM_NEWLINK, flags: 0, body, attributes, subject: "lo" });
  } finally {
    sys.close(socket);
  }
}

/** @throws ContainerError `CONTAINER_SPEC` for a bad address or an unknown device; SyscallError */
export function configureInterface(sys: Syscalls, wanted: Interface): void {
  const addresses = wanted.addresses.map(parsePrefixed);
  const gateways = wanted.gateways.map(parseGateway);
  const mac = parseMac(wanted.mac);
  const { device, index } = findDevice(sys, wanted.clonedMac ?? wanted.mac);
  const socket = openSocket(sys);
  const ask = (type: number, flags: number, body: Uint8Array, attributes: readonly Attribute[]) =>
    request({ sys, socket, type, flags, body, attributes, subject: wanted.name });
  try {
    // A device is renamed while it is down.
    if (device !== wanted.name) {
      ask(rt.RTM_NEWLINK, 0, linkBody(index, 0), [
        [rt.IFLA_IFNAME, encodeText(`${wanted.name}\0`)],
      ]);
    }
    // A device takes an address while it is down too.
    if (wanted.clonedMac !== undefined) {
      ask(rt.RTM_NEWLINK, 0, linkBody(index, 0), [[rt.IFLA_ADDRESS, mac]]);
    }
    ask(rt.RTM_NEWLINK, 0, linkBody(index, IFF_UP), [[rt.IFLA_MTU, uint32(wanted.mtu)]]);
    for (const { address, prefix } of addresses) {
      const attributes: Attribute[] = [
        [rt.IFA_LOCAL, address],
        [rt.IFA_ADDRESS, address],
      ];
      const flags = rt.NLM_F_CREATE | rt.NLM_F_REPLACE;
      ask(rt.RTM_NEWADDR, flags, addressBody(address, prefix, index), attributes);
    }
    for (const gateway of gateways) {
      const attributes: Attribute[] = [
        [rt.RTA_GATEWAY, gateway],
        [rt.RTA_OIF, uint32(index)],
      ];
      ask(rt.RTM_NEWROUTE, rt.NLM_F_CREATE | rt.NLM_F_REPLACE, routeBody(gateway), attributes);
    }
  } finally {
    sys.close(socket);
  }
}

function openSocket(sys: Syscalls): Fd {
  return sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

function parsePrefixed(text: string): { readonly address: Uint8Array; readonly prefix: number } {
  const [, address = "", prefix = ""] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const bytes = parseIpAddress(address);
  if (bytes === undefined || Number(prefix) > bytes.length * 8) {
    throw containerError("CONTAINER_SPEC", `no address with a prefix length: ${text.slice(0, 80)}`);
  }
  return { address: bytes, prefix: Number(prefix) };
}

function parseGateway(text: string): Uint8Array {
  const bytes = parseIpAddress(text);
  if (bytes === undefined) {
    throw containerError("CONTAINER_SPEC", `no address of a gateway: ${text.slice(0, 80)}`);
  }
  return bytes;
}

function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw containerError("CONTAINER_SPEC", `no MAC address: ${text.slice(0, 40)}`);
  }
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

function findDevice(
  sys: Syscalls,
  mac: string,
): { readonly device: string; readonly index: number } {
  for (const device of listFolder(sys, DEVICES)) {
    if (readText(sys, `${DEVICES}/${device}/address`).trim() === mac.toLowerCase()) {
      return { device, index: Number(readText(sys, `${DEVICES}/${device}/ifindex`)) };
    }
  }
  throw containerError("CONTAINER_SPEC", `no network device with the address ${mac.slice(0, 40)}`);
}

function linkBody(index: number, flags: number): Uint8Array {
  const body = new Uint8Array(rt.IFINFOMSG.size);
  const view = new DataView(body.buffer);
  const { ifi_index, ifi_flags, ifi_change } = rt.IFINFOMSG.fields;
  view.setUint32(ifi_index.offset, index, true);
  view.setUint32(ifi_flags.offset, flags, true);
  view.setUint32(ifi_change.offset, flags, true);
  return body;
}

function addressBody(address: Uint8Array, prefix: number, index: number): Uint8Array {
  const body = new Uint8Array(rt.IFADDRMSG.size);
  const { ifa_family, ifa_prefixlen, ifa_flags, ifa_index } = rt.IFADDRMSG.fields;
  body[ifa_family.offset] = familyOf(address);
  body[ifa_prefixlen.offset] = prefix;
  // The host hands out the addresses: there is no duplicate to wait for.
  body[ifa_flags.offset] = rt.IFA_F_NODAD;
  new DataView(body.buffer).setUint32(ifa_index.offset, index, true);
  return body;
}

function routeBody(gateway: Uint8Array): Uint8Array {
  const body = new Uint8Array(rt.RTMSG.size);
  const { rtm_family, rtm_table, rtm_protocol, rtm_type } = rt.RTMSG.fields;
  body[rtm_family.offset] = familyOf(gateway);
  body[rtm_table.offset] = rt.RT_TABLE_MAIN;
  body[rtm_protocol.offset] = rt.RTPROT_BOOT;
  body[rtm_type.offset] = rt.RTN_UNICAST;
  return body;
}

function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

interface NetlinkRequest {
  readonly sys: Syscalls;
  readonly socket: Fd;
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
  readonly attributes: readonly Attribute[];
  /** what the request is about, for its error */
  readonly subject: string;
}

/** Sends one request and waits for the kernel's answer, an error number of 0 when it is done. */
function request({ sys, socket, type, flags, body, attributes, subject }: NetlinkRequest): void {
  const { nlmsg_len, nlmsg_type, nlmsg_flags } = rt.NLMSGHDR.fields;
  const pieces = [new Uint8Array(rt.NLMSGHDR.size), body, ...attributes.map(encodeAttribute)];
  const message = concatenate(pieces);
  const view = new DataView(message.buffer);
  view.setUint32(nlmsg_len.offset, message.length, true);
  view.setUint16(nlmsg_type.offset, type, true);
  view.setUint16(nlmsg_flags.offset, rt.NLM_F_REQUEST | rt.NLM_F_ACK | flags, true);
  sys.write(socket, message);
  const answer = new Uint8Array(MAX_ANSWER);
  sys.read(socket, answer);
  const errno = -new DataView(answer.buffer).getInt32(rt.NLMSGHDR.size, true);
  if (errno !== 0) throw new SyscallError("netlink", errno, errnoName(errno), subject);
}

/** Length and type in 16 bits each, the value, filled up to 4 bytes. */
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
