/** The question of a guest that a passt has never heard of, by which it learns the guest's MAC address (RFC 826). */

import { parseIpv4 } from "../ipv4.ts";

export interface ArpRequest {
  /** MAC and IPv4 address of who asks */
  readonly mac: string;
  readonly address: string;
  /** IPv4 address that is asked for */
  readonly target: string;
}

const ETHERNET_SIZE = 14;
const ARP_SIZE = 28;
const ETH_P_ARP = 0x0806;

export function arpRequest({ mac, address, target }: ArpRequest): Uint8Array {
  const hardware = Buffer.from(mac.replaceAll(":", ""), "hex");
  const frame = Buffer.alloc(ETHERNET_SIZE + ARP_SIZE);
  frame.fill(0xff, 0, 6);
  hardware.copy(frame, 6);
  frame.writeUInt16BE(ETH_P_ARP, 12);
  // Ethernet, IPv4, their addresses' lengths, and that it is a request
  frame.set([0, 1, 8, 0, 6, 4, 0, 1], ETHERNET_SIZE);
  hardware.copy(frame, 22);
  frame.writeUInt32BE(parseIpv4(address) ?? 0, 28);
  frame.writeUInt32BE(parseIpv4(target) ?? 0, 38);
  return frame;
}
