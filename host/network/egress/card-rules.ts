/**
 * The nftables table of one machine's card: what goes out by it, and how fast. It hangs on the tap device itself
 * (family netdev, nft(8)), before bridge and routing: what the guest says of its own addresses has no say in it, and
 * neighbours, host and outside are all behind it. It is a table of its own, since what it learns has to outlast the
 * coming and going of others.
 *
 * There is no connection tracking at this place. In its stead the table notes who has sent something to the guest:
 * to them, at that port and from that port, the guest may answer. That holds for the answers to what was allowed, too.
 */

import { GUARDED, isGuarded, PRIVATE, PUBLIC6 } from "./address-classes.ts";
import type { EgressPolicy, EgressRange } from "./egress-policy.ts";

export interface CardRules {
  /** name of the tap device, and of the table */
  readonly tap: string;
  /** absent: everything may be reached */
  readonly egress?: EgressPolicy;
  /** most that the guest sends, in `bits per second`; absent: as much as it can */
  readonly rateOut?: number;
  /** addresses of the network's name server */
  readonly nameServers: readonly string[];
  /** of the network, where its cards have IPv6: `address/prefix` */
  readonly subnet6?: string;
  /** group of netlink's log that is told of what is refused (NFLOG) */
  readonly logGroup: number;
}

/** How long somebody who has sent something may be answered, in `seconds`. */
const FLOW_TIMEOUT = 600;
const ECHO_TIMEOUT = 30;
/** Flows and pinned addresses that are known at a time. */
const MAX_FLOWS = 262_144;
const MAX_ECHOES = 4096;
export const MAX_PINS = 4096;
/** What is refused is told of and answered this often, whatever a guest does. */
const LOG_LIMIT = "limit rate 5/second burst 10 packets";
const REJECT_LIMIT = "limit rate 50/second burst 100 packets";
/** A name does not stand for the host, whose own ports are open to itself. */
const NOT_HOSTS = "fib daddr type != local";
/** of a logged packet, in `bytes`: the headers up to the ports */
const SNAP = 96;
/**
 * What may be sent at once beside what the rate lets through in a second, which the kernel adds by itself
 * (net/netfilter/nft_limit.c): room for the largest frame of a card, in `bytes`.
 */
const BURST = 66 * 1024;

/** For nft -f: makes the table as it has to be. */
export function cardTable(rules: CardRules): string {
  const { tap, egress } = rules;
  const device = JSON.stringify(tap);
  const chains = egress === undefined ? "" : learning(device) + refusal(rules);
  return `${removeTable(tap)}table netdev ${tap} {
${chains}  chain out {
    type filter hook ingress device ${device} priority 0; policy accept;
${rateLimit(rules)}${egress === undefined ? "" : guestRules(rules, egress)}  }
}
`;
}

/** For nft -f: removes the table, whether or not it is there. */
export function removeTable(tap: string): string {
  return `table netdev ${tap}\ndelete table netdev ${tap}\n`;
}

export interface Pin {
  readonly address: string;
  /** absent: every port and protocol */
  readonly port?: number;
  /** `seconds` */
  readonly lifetime: number;
}

/** For nft -f: lets addresses be reached for some time from now; those that could be already, too. */
export function pinElements(tap: string, pins: readonly Pin[]): string {
  const lines = pins.flatMap(({ address, port, lifetime }) => {
    const family = address.includes(":") ? 6 : 4;
    const set = `netdev ${tap} pins${family}${port === undefined ? "" : "_port"}`;
    const key = port === undefined ? address : `${address} . ${port}`;
    const add = `add element ${set} { ${key} timeout ${lifetime}s }`;
    // an element's time does not change by adding it again
    return [add, `delete element ${set} { ${key} }`, add];
  });
  return `${lines.join("\n")}\n`;
}

function rateLimit({ rateOut }: CardRules): string {
  if (rateOut === undefined) return "";
  return `    limit rate over ${Math.round(rateOut / 8)} bytes/second burst ${BURST} bytes drop\n`;
}

/** Who sends something to the guest. */
function learning(device: string): string {
  const flow = "meta l4proto . th sport . th dport";
  const dynamic = (size: number, timeout: number) =>
    `flags dynamic,timeout; size ${size}; timeout ${timeout}s;`;
  const pins = `flags timeout; size ${MAX_PINS};`;
  return `  set flows4 { typeof ip saddr . ${flow}; ${dynamic(MAX_FLOWS, FLOW_TIMEOUT)} }
  set flows6 { typeof ip6 saddr . ${flow}; ${dynamic(MAX_FLOWS, FLOW_TIMEOUT)} }
  set echoes4 { typeof ip saddr . icmp id; ${dynamic(MAX_ECHOES, ECHO_TIMEOUT)} }
  set echoes6 { typeof ip6 saddr . icmpv6 id; ${dynamic(MAX_ECHOES, ECHO_TIMEOUT)} }
  set pins4 { type ipv4_addr; ${pins} }
  set pins6 { type ipv6_addr; ${pins} }
  set pins4_port { type ipv4_addr . inet_service; ${pins} }
  set pins6_port { type ipv6_addr . inet_service; ${pins} }
  chain learn {
    type filter hook egress device ${device} priority 0; policy accept;
    meta l4proto { tcp, udp } update @flows4 { ip saddr . ${flow} }
    meta l4proto { tcp, udp } update @flows6 { ip6 saddr . ${flow} }
    icmp type echo-request update @echoes4 { ip saddr . icmp id }
    icmpv6 type echo-request update @echoes6 { ip6 saddr . icmpv6 id }
  }
`;
}

/** Refused aloud, for a guest that waits for an answer; never by TCP, which `learn` would take for somebody's word. */
function refusal({ tap, logGroup }: CardRules): string {
  return `  chain refuse {
    ${LOG_LIMIT} log prefix ${JSON.stringify(tap)} group ${logGroup} snaplen ${SNAP}
    meta protocol ip ${REJECT_LIMIT} reject with icmp type admin-prohibited
    meta protocol ip6 ${REJECT_LIMIT} reject with icmpv6 type admin-prohibited
    drop
  }
`;
}

function guestRules({ nameServers, subnet6 }: CardRules, policy: EgressPolicy): string {
  const flow = "meta l4proto . th dport . th sport";
  const ofPort = policy.ranges.filter(({ port }) => port !== undefined);
  const whole = policy.ranges.filter(({ port }) => port === undefined);
  const lines = [
    "meta protocol arp accept",
    ...nameServers.map(
      (each) => `${ip(each)} daddr ${each} meta l4proto { tcp, udp } th dport 53 accept`,
    ),
    `ip daddr . ${flow} @flows4 accept`,
    `ip6 daddr . ${flow} @flows6 accept`,
    "icmp type echo-reply ip daddr . icmp id @echoes4 accept",
    "icmpv6 type echo-reply ip6 daddr . icmpv6 id @echoes6 accept",
    // to neighbours alone: a router passes on to anybody what calls itself so
    `ip6 daddr { ${["ff02::/16", "fe80::/10", ...(subnet6 === undefined ? [] : [subnet6])].join(", ")} } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`,
    // what every stack says to its neighbours unasked is not worth telling of
    "ip6 daddr ff02::/16 drop",
    "ip daddr { 224.0.0.0/24, 255.255.255.255 } drop",
    ...ofPort.map(accept),
    `ip daddr . th dport @pins4_port meta l4proto { tcp, udp } ${NOT_HOSTS} accept`,
    `ip6 daddr . th dport @pins6_port meta l4proto { tcp, udp } ${NOT_HOSTS} accept`,
    // names are asked of the network's own server, which knows the policy
    "meta l4proto { tcp, udp } th dport 53 goto refuse",
    ...whole.filter(({ range }) => isGuarded(range)).map(accept),
    `ip daddr { ${GUARDED[4].join(", ")} } goto refuse`,
    `ip6 daddr { ${GUARDED[6].join(", ")} } goto refuse`,
    ...whole.filter(({ range }) => !isGuarded(range)).map(accept),
    `ip daddr @pins4 ${NOT_HOSTS} accept`,
    `ip6 daddr @pins6 ${NOT_HOSTS} accept`,
    ...(policy.public ? publicRules() : []),
    "goto refuse",
  ];
  return lines.map((line) => `    ${line}\n`).join("");
}

/** The host's own addresses are not the outside, even where they are public. */
function publicRules(): string[] {
  return [
    `ip daddr { ${PRIVATE[4].join(", ")} } goto refuse`,
    `ip6 daddr { ${PRIVATE[6].join(", ")} } goto refuse`,
    "fib daddr type { local, broadcast, multicast } goto refuse",
    "meta protocol ip accept",
    `ip6 daddr ${PUBLIC6} accept`,
  ];
}

function accept({ family, range, port }: EgressRange): string {
  const to = `${family === 4 ? "ip" : "ip6"} daddr ${range}`;
  return port === undefined
    ? `${to} accept`
    : `${to} meta l4proto { tcp, udp } th dport ${port} accept`;
}

function ip(address: string): string {
  return address.includes(":") ? "ip6" : "ip";
}
