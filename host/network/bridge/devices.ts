/** The bridges and taps on the host, made and removed by ip(8) in one call each. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { networkError } from "../errors.ts";
import { formatIpv4, parseSubnet, type Subnet } from "../ipv4.ts";
import { macOfAddress } from "../mac-address.ts";
import { callProgram } from "../run-program.ts";
import type { BridgeNetwork } from "./bridge-network.ts";

const MISSING_IP = "install the package iproute2, or use --network user";
const MISSING_NFT = "install the package nftables, or use --network user";
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

/**
 * Makes a tap in the network's bridge, and the bridge unless it is there. The tap persists, and a VMM of root's without
 * capabilities may open it (drivers/net/tun.c).
 */
export async function makeDevices(
  { bridge, gateway, subnet }: BridgeNetwork,
  tap: string,
): Promise<void> {
  const isNew = !existsSync(`/sys/class/net/${bridge}`);
  const address = formatIpv4(gateway);
  const bridgeCommands = [
    // an address of its own: else it would be that of the tap with the least, and change with it
    `link add ${bridge} address ${macOfAddress(address)} type bridge stp_state 0 forward_delay 0`,
    `link set ${bridge} addrgenmode none`,
    `addr add ${address}/${subnet.prefix} dev ${bridge}`,
    `link set ${bridge} up`,
  ];
  await ip([
    ...(isNew ? bridgeCommands : []),
    `tuntap add dev ${tap} mode tap user 0`,
    `link set ${tap} addrgenmode none`,
    `link set ${tap} master ${bridge} up`,
    ...(bridgesPassIptables() ? [`link set ${tap} type bridge_slave hairpin on`] : []),
  ]);
  // published ports are to be had on 127.0.0.1 too; the rules keep guests from it
  writeFileSync(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, "1");
  // the host is no IPv6 neighbour of its guests
  writeIfThere(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, "1");
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
  const there = names.filter((name) => existsSync(`/sys/class/net/${name}`));
  if (there.length > 0) await ip(there.map((name) => `link del ${name}`));
}

/** Subnets that the host reaches by a route other than its default one; `except` names a device to leave out. */
export async function routedSubnets(except = ""): Promise<Subnet[]> {
  const { output } = await callProgram({
    program: "ip",
    args: ["-4", "route", "show", "table", "main"],
    missing: MISSING_IP,
  });
  return output.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[words.indexOf("dev") + 1] === except) return [];
    const [first = ""] = words;
    // a route's type may come first: "unreachable 10.0.0.0/8"
    const target = /^\d/.test(first) ? first : (words[1] ?? "");
    const subnet = parseSubnet(target.includes("/") ? target : `${target}/32`);
    return subnet === undefined || first === "default" ? [] : [subnet];
  });
}

/** Loads rules, all or none. @throws DvmError */
export async function loadRules(script: string): Promise<void> {
  const { code, complaints } = await callProgram({
    program: "nft",
    args: ["-f", "-"],
    input: script,
    missing: MISSING_NFT,
  });
  if (code !== 0) throw refused("nft", complaints);
}

/** @returns whether forwarding was off before */
export function turnForwardingOn(): boolean {
  if (readFileSync(FORWARDING, "utf8").trim() !== "0") return false;
  writeFileSync(FORWARDING, "1");
  return true;
}

export function turnForwardingOff(): void {
  writeFileSync(FORWARDING, "0");
}

async function ip(commands: readonly string[]): Promise<void> {
  const { code, complaints } = await callProgram({
    program: "ip",
    args: ["-batch", "-"],
    input: `${commands.join("\n")}\n`,
    missing: MISSING_IP,
  });
  if (code !== 0) throw refused("ip", complaints);
}

function refused(program: string, complaints: string): Error {
  const [line = "it said nothing"] = complaints.split("\n").filter((each) => each.trim() !== "");
  const code = /not permitted|EPERM/i.test(line) ? "NETWORK_PRIVILEGE" : "NETWORK_FAILED";
  return networkError(code, `${program} refused: ${line.trim().slice(0, 300)}`);
}

function writeIfThere(path: string, text: string): void {
  if (existsSync(path)) writeFileSync(path, text);
}
