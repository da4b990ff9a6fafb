/** Ethernet frames with IPv4 in them (RFC 894, RFC 791): read, and answered in another's name. */

export interface Ipv4Packet {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly isFragment: boolean;
  /** of TCP and UDP; 0 for others */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** of UDP what it carries; of others all behind the IP header */
  readonly payload: Uint8Array;
  /** of the IP header, in `bytes` */
  readonly headerSize: number;
}

const ETHERNET_SIZE = 14;
const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const IPV4_SIZE = 20;
const UDP_SIZE = 8;
const ICMP_SIZE = 8;
const TCP = 6;
const UDP = 17;
const ICMP = 1;
/** "more fragments" and the offset */
const FRAGMENT = 0x3fff;
const TTL = 64;
/** destination unreachable, communication administratively prohibited (RFC 1812 §5.2.7.1) */
const UNREACHABLE = 3;
const PROHIBITED = 13;
/** of the packet that is refused an error repeats the header and this much, in `bytes` (RFC 792) */
const QUOTED = 8;

/** @returns nothing for what is neither ARP nor a whole packet of IPv4 */
export function parseFrame(frame: Uint8Array): Ipv4Packet | "arp" | undefined {
  const bytes = bufferOf(frame);
  if (bytes.length < ETHERNET_SIZE) return undefined;
  const type = bytes.readUInt16BE(12);
  if (type === ETH_P_ARP) return "arp";
  if (type !== ETH_P_IP || bytes.length < ETHERNET_SIZE + IPV4_SIZE) return undefined;
  const ip = bytes.subarray(ETHERNET_SIZE);
  const headerSize = (ip.readUInt8(0) & 0x0f) * 4;
  const length = ip.readUInt16BE(2);
  const isWhole = headerSize >= IPV4_SIZE && length >= headerSize && length <= ip.length;
  if (ip.readUInt8(0) >> 4 !== 4 || !isWhole) return undefined;
  const body = ip.subarray(headerSize, length);
  const protocol = ip.readUInt8(9);
  const hasPorts = protocol === TCP || protocol === UDP;
  if (hasPorts && body.length < UDP_SIZE) return undefined;
  return {
    source: ip.readUInt32BE(12),
    destination: ip.readUInt32BE(16),
    protocol,
    isFragment: (ip.readUInt16BE(6) & FRAGMENT) !== 0,
    sourcePort: hasPorts ? body.readUInt16BE(0) : 0,
    destinationPort: hasPorts ? body.readUInt16BE(2) : 0,
    payload: protocol === UDP ? body.subarray(UDP_SIZE) : body,
    headerSize,
  };
}

/** A datagram back to who has sent `frame`, from where it was sent to. */
export function udpAnswer(frame: Uint8Array, packet: Ipv4Packet, data: Uint8Array): Uint8Array {
  const datagram = Buffer.alloc(UDP_SIZE + data.length);
  datagram.writeUInt16BE(packet.destinationPort, 0);
  datagram.writeUInt16BE(packet.sourcePort, 2);
  // without a checksum, which UDP over IPv4 leaves to the sender
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(data, UDP_SIZE);
  return answer(frame, packet, { protocol: UDP, body: datagram });
}

/** The error that says that `frame` may not go where it was sent to. */
export function prohibition(frame: Uint8Array, packet: Ipv4Packet): Uint8Array {
  const quoted = bufferOf(frame).subarray(
    ETHERNET_SIZE,
    ETHERNET_SIZE + packet.headerSize + QUOTED,
  );
  const message = Buffer.alloc(ICMP_SIZE + quoted.length);
  message.writeUInt8(UNREACHABLE, 0);
  message.writeUInt8(PROHIBITED, 1);
  message.set(quoted, ICMP_SIZE);
  message.writeUInt16BE(checksum(message), 2);
  return answer(frame, packet, { protocol: ICMP, body: message });
}

/** Says where an address is, to whom it concerns (RFC 5227 §3). */
export function announcement(mac: string, address: string): Uint8Array {
  const hardware = mac.split(":").map((byte) => Number.parseInt(byte, 16));
  const own = address.split(".").map(Number);
  const broadcast = Array.from({ length: 6 }, () => 0xff);
  // Ethernet and IPv4 addresses of 6 and 4 bytes, a request
  const arp = [0, 1, 8, 0, 6, 4, 0, 1, ...hardware, ...own, 0, 0, 0, 0, 0, 0, ...own];
  return Uint8Array.from([...broadcast, ...hardware, ETH_P_ARP >> 8, ETH_P_ARP & 0xff, ...arp]);
}

function answer(
  frame: Uint8Array,
  { source, destination }: Ipv4Packet,
  { protocol, body }: { readonly protocol: number; readonly body: Uint8Array },
): Uint8Array {
  const head = Buffer.alloc(ETHERNET_SIZE + IPV4_SIZE);
  head.set(frame.subarray(6, 12), 0);
  head.set(frame.subarray(0, 6), 6);
  head.writeUInt16BE(ETH_P_IP, 12);
  const ip = head.subarray(ETHERNET_SIZE);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(IPV4_SIZE + body.length, 2);
  ip.writeUInt8(TTL, 8);
  ip.writeUInt8(protocol, 9);
  ip.writeUInt32BE(destination, 12);
  ip.writeUInt32BE(source, 16);
  ip.writeUInt16BE(checksum(ip), 10);
  return Buffer.concat([head, body]);
}

/** The Internet's checksum (RFC 1071). */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
