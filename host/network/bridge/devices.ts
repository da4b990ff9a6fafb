/** The bridges and taps on the host, made and removed by ip(8) in one call each. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { networkError } from "../errors.ts";
import { formatIpv4, type Subnet } from "../ipv4.ts";
import { parseSubnet6, type Subnet6 } from "../ipv6.ts";
import { macOfAddress } from "../mac-address.ts";
import { ReadyProgram } from "../ready-program.ts";
import { callProgram } from "../run-program.ts";
import type { BridgeNetwork } from "./bridge-network.ts";
import { parseRoutes } from "./routes.ts";

const MISSING_IP = "install the package iproute2, or use --network user";
const MISSING_NFT = "install the package nftables, or use --network user";
const MISSING_TC = "install the package iproute2, or leave --network-rate out";
/** A queue's slack: what may be sent at once, in `seconds`, and the least there is, in `bytes`. */
const BURST_TIME = 0.01;
const LEAST_BURST = 16 * 1024;
/** Longest that a packet waits in the queue, in `milliseconds`. */
const QUEUE = 50;

/** As many as a start calls at once or one after the other. */
const IP = new ReadyProgram({ program: "ip", args: ["-batch", "-"], missing: MISSING_IP }, 2);
const NFT = new ReadyProgram({ program: "nft", args: ["-f", "-"], missing: MISSING_NFT }, 1);

/** Makes the network's bridge unless it is there. Nobody may make or remove it meanwhile (`HostState`). */
export async function makeBridge({ bridge, gateway, subnet, ipv6 }: BridgeNetwork): Promise<void> {
  const isNew = !isThere(bridge);
  if (ipv6 !== undefined) requireIpv6();
  const address = formatIpv4(gateway);
  const six = ipv6 && `addr add ${ipv6.gateway}/${prefixOf(ipv6.subnet)} dev ${bridge} nodad`;
  if (isNew) {
    await ip([
      // an address of its own: else it would be that of the tap with the least, and change with it
      `link add ${bridge} address ${macOfAddress(address)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      `link set ${bridge} addrgenmode none`,
      `addr add ${address}/${subnet.prefix} dev ${bridge}`,
      ...(six === undefined ? [] : [six]),
      `link set ${bridge} up`,
    ]);
  }
  // published ports are to be had on 127.0.0.1 too; the rules keep guests from it
  writeFileSync(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, "1");
  // the host is no IPv6 neighbour of guests that have none
  if (ipv6 === undefined) writeIfThere(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, "1");
  // and takes no guest for a router
  writeIfThere(`/proc/sys/net/ipv6/conf/${bridge}/accept_ra`, "0");
}

/** Makes a tap in a bridge. The tap persists, and a VMM of root's without capabilities may open it (drivers/net/tun.c). */
export async function makeTap(bridge: string, tap: string): Promise<void> {
  await ip([...(isThere(tap) ? [] : newTap(tap)), ...joining(bridge, tap)]);
}

/** Makes taps that lead nowhere. */
export async function makeLooseTaps(taps: readonly string[]): Promise<void> {
  await ip(taps.flatMap(newTap));
}

/** Puts a tap that leads nowhere into a bridge, by another name. */
export async function renameTap(bridge: string, old: string, tap: string): Promise<void> {
  const left = isThere(tap) ? [`link del ${tap}`] : [];
  await ip([...left, `link set dev ${old} name ${tap}`, ...joining(bridge, tap)]);
}

/**
 * Makes a device that stands for a card which another carries: one end of a pair is in the network's bridge, and what
 * comes out of the other is led to the carrier (`carriedRules`).
 */
export async function makePair(bridge: string, near: string, far: string): Promise<void> {
  await ip([
    `link add ${near} type veth peer name ${far}`,
    ...[near, far].map((name) => `link set ${name} addrgenmode none`),
    `link set ${far} up`,
    ...joining(bridge, near),
  ]);
}

/** Puts a device into a bridge. */
export async function connectDevice(bridge: string, device: string): Promise<void> {
  await ip(joining(bridge, device));
}

/** Takes a device out of its bridge. */
export async function disconnectDevice(device: string): Promise<void> {
  await ip([`link set ${device} nomaster`]);
}

function newTap(tap: string): string[] {
  return [`tuntap add dev ${tap} mode tap user 0`, `link set ${tap} addrgenmode none`];
}

function joining(bridge: string, device: string): string[] {
  const hairpin = bridgesPassIptables() ? [`link set ${device} type bridge_slave hairpin on`] : [];
  return [`link set ${device} master ${bridge} up`, ...hairpin];
}

function isThere(device: string): boolean {
  return existsSync(`/sys/class/net/${device}`);
}

/** A host whose kernel has no IPv6, or has it turned off, could not give the gateway its address. */
function requireIpv6(): void {
  const path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
  if (existsSync(path) && readFileSync(path, "utf8").trim() === "0") return;
  throw networkError("NETWORK_UNSUPPORTED", "this host has IPv6 turned off", {
    hint: "sysctl net.ipv6.conf.default.disable_ipv6=0, or a network without --ipv6",
  });
}

/** Sends to a machine no faster than that: what is too much waits in a queue, or is dropped (tc-tbf(8)). */
export async function shapeDevice(tap: string, bitsPerSecond: number): Promise<void> {
  const burst = Math.max(LEAST_BURST, Math.round((bitsPerSecond / 8) * BURST_TIME));
  const args = `qdisc replace dev ${tap} root tbf rate ${bitsPerSecond}bit burst ${burst}b latency ${QUEUE}ms`;
  const { code, complaints } = await callProgram({
    program: "tc",
    args: args.split(" "),
    missing: MISSING_TC,
  });
  if (code !== 0) throw refused("tc", complaints);
}

/**
 * Where br_netfilter is loaded and on, a bridge redirects published ports itself: a container that asks for its own
 * port on the host is then answered through the port of the bridge that it asks through.
 */
function bridgesPassIptables(): boolean {
  const path = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  return existsSync(path) && readFileSync(path, "utf8").trim() === "1";
}

/** Removes devices; those that are gone already are no error. */
export async function removeDevices(names: readonly string[]): Promise<void> {
  const there = names.filter(isThere);
  if (there.length > 0) await ip(there.map((name) => `link del ${name}`));
}

/** Subnets that the host reaches by a route other than its default one; `except` names a device to leave out. */
export function routedSubnets(except = ""): Subnet[] {
  return parseRoutes(readFileSync("/proc/self/net/route", "utf8"), except);
}

/** The same of IPv6. */
export async function routedSubnets6(): Promise<Subnet6[]> {
  const { output } = await callProgram({
    program: "ip",
    args: ["-6", "route", "show", "table", "main"],
    missing: MISSING_IP,
  });
  return output.split("\n").flatMap((line) => {
    const [first = ""] = line.trim().split(/\s+/);
    const subnet = parseSubnet6(first.includes("/") ? first : `${first}/128`);
    // every interface has a link-local one
    return subnet === undefined || first.startsWith("fe80:") ? [] : [subnet];
  });
}

/** Loads rules, all or none. @throws DvmError */
export async function loadRules(script: string): Promise<void> {
  const { code, complaints } = await NFT.call(script);
  if (code !== 0) throw refused("nft", complaints);
}

/** Does the commands in their order, in one process. @throws DvmError */
export async function ip(commands: readonly string[]): Promise<void> {
  const { code, complaints } = await IP.call(`${commands.join("\n")}\n`);
  if (code !== 0) throw refused("ip", complaints);
}

function refused(program: string, complaints: string): Error {
  const [line = "it said nothing"] = complaints.split("\n").filter((each) => each.trim() !== "");
  const code = /not permitted|EPERM/i.test(line) ? "NETWORK_PRIVILEGE" : "NETWORK_FAILED";
  return networkError(code, `${program} refused: ${line.trim().slice(0, 300)}`);
}

function prefixOf(subnet: string): string {
  return subnet.slice(subnet.indexOf("/") + 1);
}

function writeIfThere(path: string, text: string): void {
  if (existsSync(path)) writeFileSync(path, text);
}
