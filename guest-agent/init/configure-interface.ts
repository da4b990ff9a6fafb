/**
 * A network interface of the machine: found by its MAC address, or made on the card of another, given its own address
 * if it is a clone's, named, addressed, brought up, routed through.
 */

import { containerError } from "../container/errors.ts";
import { listFolder, readText } from "../container/file-access.ts";
import { encodeText } from "../container/text.ts";
import { IFF_UP } from "../linux/if.ts";
import * as rt from "../linux/rtnetlink.ts";
import { AF_INET, AF_INET6 } from "../linux/socket.ts";
import type { RequestOf } from "../protocol/index.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { parseIpAddress } from "./ip-address.ts";
import {
  type Attribute,
  encodeAttributes,
  type RouteSocket,
  withRouteSocket,
} from "./route-socket.ts";

export type Interface = RequestOf<"machine.configure">["interfaces"][number];

/** index of `lo`, the first device of every network namespace (LOOPBACK_IFINDEX) */
const LOOPBACK = 1;
const DEVICES = "/sys/class/net";

/** Brings the loopback device of the machine up. @throws SyscallError */
export function bringUpLoopback(sys: Syscalls): void {
  withRouteSocket(sys, "lo", (socket) =>
    socket.ask(rt.RTM_NEWLINK, { body: linkBody(LOOPBACK, IFF_UP) }),
  );
}

/** @throws ContainerError `CONTAINER_SPEC` for a bad address or an unknown device; SyscallError */
export function configureInterface(sys: Syscalls, wanted: Interface): void {
  const addresses = wanted.addresses.map(parsePrefixed);
  const gateways = wanted.gateways.map(parseGateway);
  const mac = parseMac(wanted.mac);
  const known = knownDevice(sys, wanted);
  withRouteSocket(sys, wanted.name, (socket) => {
    const device = known ?? makeCarried(sys, socket, { ...wanted, address: mac });
    const isCarrier = wanted.clonedMac !== undefined && carriesOthers(sys, device);
    const settings = { ownAddress: mac, prefixed: addresses, routers: gateways, isCarrier };
    setUp(socket, device, { ...wanted, ...settings });
  });
}

interface Settings extends Interface {
  readonly ownAddress: Uint8Array;
  readonly prefixed: readonly Prefixed[];
  readonly routers: readonly Uint8Array[];
  /** whether devices on it are in use */
  readonly isCarrier: boolean;
}

function setUp(socket: RouteSocket, { device, index }: Device, wanted: Settings): void {
  // A device is renamed while it is down.
  if (device !== wanted.name) changeLink(socket, index, [rt.IFLA_IFNAME, asText(wanted.name)]);
  // What the device has made of the address that it had goes when it is down; but those on it would be down, too.
  if (wanted.clonedMac !== undefined) {
    socket.ask(rt.RTM_NEWLINK, {
      body: linkBody(index, 0, wanted.isCarrier ? 0 : IFF_UP),
      attributes: [[rt.IFLA_ADDRESS, wanted.ownAddress]],
    });
  }
  socket.ask(rt.RTM_NEWLINK, {
    body: linkBody(index, IFF_UP),
    attributes: [[rt.IFLA_MTU, uint32(wanted.mtu)]],
  });
  const flags = rt.NLM_F_CREATE | rt.NLM_F_REPLACE;
  for (const address of wanted.prefixed)
    socket.ask(rt.RTM_NEWADDR, { flags, ...addressRequest(address, index) });
  for (const gateway of wanted.routers)
    socket.ask(rt.RTM_NEWROUTE, { flags, ...routeRequest(gateway, index) });
  for (const gateway of wanted.routers) lookFor(socket, gateway, index);
}

/**
 * Asks the network who has a router's address, as the first packet to it would. passt learns the guest's MAC address
 * by the guest's first frame, and until then nobody who comes from outside is heard. IPv6 sends frames by itself.
 */
function lookFor(socket: RouteSocket, gateway: Uint8Array, index: number): void {
  if (familyOf(gateway) !== AF_INET) return;
  const request = { flags: rt.NLM_F_CREATE, ...neighbourRequest(gateway, index) };
  // one that has been asked for in vain, from an address of before, would be waited for
  for (const type of [rt.RTM_DELNEIGH, rt.RTM_NEWNEIGH]) {
    try {
      socket.ask(type, request);
    } catch (error) {
      // nothing depends on it but who asks first
      if (!isSyscallError(error)) throw error;
    }
  }
}

export type LeavingInterface = RequestOf<"container.network">["disconnect"][number];

/**
 * Takes an interface out of its network: one that was made on another's card is no more; a card stays, up, for those
 * made on it, but has no address.
 *
 * @throws ContainerError `CONTAINER_SPEC`; SyscallError
 */
export function takeDownInterface(sys: Syscalls, leaving: LeavingInterface): void {
  const addresses = leaving.addresses.map(parsePrefixed);
  const gateways = leaving.gateways.map(parseGateway);
  const found = findDevice(sys, leaving.mac);
  // a container with the right to may have removed it itself
  if (found === undefined) return;
  const { device, index } = found;
  withRouteSocket(sys, device, (socket) => {
    if (leaving.carried) {
      socket.ask(rt.RTM_DELLINK, { body: linkBody(index, 0) });
      return;
    }
    for (const gateway of gateways)
      ifThere(() => socket.ask(rt.RTM_DELROUTE, routeRequest(gateway, index)));
    for (const address of addresses)
      ifThere(() => socket.ask(rt.RTM_DELADDR, addressRequest(address, index)));
  });
}

function ifThere(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!isSyscallError(error, "ESRCH", "EADDRNOTAVAIL", "ENETUNREACH")) throw error;
  }
}

interface Device {
  readonly device: string;
  readonly index: number;
}

/** @returns nothing for an interface that is yet to be made */
function knownDevice(sys: Syscalls, { mac, clonedMac = mac, carrier }: Interface) {
  const found = findDevice(sys, clonedMac);
  if (found === undefined && carrier === undefined) throw noDevice(clonedMac);
  return found;
}

/** Makes a device on another's card: what comes for its MAC address is its own, and the carried do not see each other's. */
function makeCarried(
  sys: Syscalls,
  socket: RouteSocket,
  { name, carrier = "", address }: Interface & { readonly address: Uint8Array },
): Device {
  const lower = findDevice(sys, carrier);
  if (lower === undefined) throw noDevice(carrier);
  const mode: Attribute = [rt.IFLA_MACVLAN_MODE, uint32(rt.MACVLAN_MODE_PRIVATE)];
  const kind = encodeAttributes([
    [rt.IFLA_INFO_KIND, asText("macvlan")],
    [rt.IFLA_INFO_DATA, encodeAttributes([mode])],
  ]);
  socket.ask(rt.RTM_NEWLINK, {
    flags: rt.NLM_F_CREATE | rt.NLM_F_EXCL,
    body: linkBody(0, 0),
    attributes: [
      [rt.IFLA_IFNAME, asText(name)],
      [rt.IFLA_ADDRESS, address],
      [rt.IFLA_LINK, uint32(lower.index)],
      [rt.IFLA_LINKINFO, kind],
    ],
  });
  return { device: name, index: deviceIndex(sys, name) };
}

function noDevice(mac: string): Error {
  return containerError("CONTAINER_SPEC", `no network device with the address ${mac.slice(0, 40)}`);
}

function changeLink(socket: RouteSocket, index: number, attribute: Attribute): void {
  socket.ask(rt.RTM_NEWLINK, { body: linkBody(index, 0), attributes: [attribute] });
}

interface Prefixed {
  readonly address: Uint8Array;
  readonly prefix: number;
}

function addressRequest({ address, prefix }: Prefixed, index: number) {
  const attributes: Attribute[] = [
    [rt.IFA_LOCAL, address],
    [rt.IFA_ADDRESS, address],
  ];
  return { body: addressBody(address, prefix, index), attributes };
}

function routeRequest(gateway: Uint8Array, index: number) {
  const attributes: Attribute[] = [
    [rt.RTA_GATEWAY, gateway],
    [rt.RTA_OIF, uint32(index)],
  ];
  return { body: routeBody(gateway), attributes };
}

/** The kernel is to behave as if it had a packet for the neighbour (`NTF_USE`). */
function neighbourRequest(neighbour: Uint8Array, index: number) {
  const attributes: Attribute[] = [[rt.NDA_DST, neighbour]];
  const body = new Uint8Array(rt.NDMSG.size);
  const { ndm_family, ndm_ifindex, ndm_flags } = rt.NDMSG.fields;
  body[ndm_family.offset] = familyOf(neighbour);
  new DataView(body.buffer).setUint32(ndm_ifindex.offset, index, true);
  body[ndm_flags.offset] = rt.NTF_USE;
  return { body, attributes };
}

function parsePrefixed(text: string): Prefixed {
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

function findDevice(sys: Syscalls, mac: string): Device | undefined {
  for (const device of listFolder(sys, DEVICES)) {
    if (readText(sys, `${DEVICES}/${device}/address`).trim() === mac.toLowerCase()) {
      return { device, index: deviceIndex(sys, device) };
    }
  }
  return undefined;
}

/** A device names those on it by links (net/core/dev.c, netdev_adjacent_sysfs_add). */
function carriesOthers(sys: Syscalls, { device }: Device): boolean {
  return listFolder(sys, `${DEVICES}/${device}`).some((name) => name.startsWith("upper_"));
}

function deviceIndex(sys: Syscalls, device: string): number {
  return Number(readText(sys, `${DEVICES}/${device}/ifindex`));
}

/** @param change which of the flags are to change */
function linkBody(index: number, flags: number, change: number = flags): Uint8Array {
  const body = new Uint8Array(rt.IFINFOMSG.size);
  const view = new DataView(body.buffer);
  const { ifi_index, ifi_flags, ifi_change } = rt.IFINFOMSG.fields;
  view.setUint32(ifi_index.offset, index, true);
  view.setUint32(ifi_flags.offset, flags, true);
  view.setUint32(ifi_change.offset, change, true);
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
  const { rtm_family, rtm_table, rtm_protocol, rtm_type, rtm_flags } = rt.RTMSG.fields;
  body[rtm_family.offset] = familyOf(gateway);
  body[rtm_table.offset] = rt.RT_TABLE_MAIN;
  body[rtm_protocol.offset] = rt.RTPROT_BOOT;
  body[rtm_type.offset] = rt.RTN_UNICAST;
  // a gateway may be outside of the subnets of the device's addresses
  new DataView(body.buffer).setUint32(rtm_flags.offset, rt.RTNH_F_ONLINK, true);
  return body;
}

function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function asText(value: string): Uint8Array {
  return encodeText(`${value}\0`);
}
