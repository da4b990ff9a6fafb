/**
 * The nftables tables of dvm, all of them, from who is in which network: a pure function. They are replaced in one
 * transaction, and nobody else's are touched (nft(8), "Input file formats").
 *
 * A packet that these rules accept may still be refused by another table's chain of the same hook: an accept ends the
 * chain that it is in, a drop is final.
 */

import { formatSubnet } from "../ipv4.ts";
import { linkLocalOf, parseIpv6 } from "../ipv6.ts";
import type { PublishedPort } from "../prepared-network.ts";
import { type BridgeNetwork, TAP_PREFIX } from "./bridge-network.ts";
import type { Endpoint } from "./endpoint.ts";

export interface RulesOptions {
  readonly endpoints: readonly Endpoint[];
  /** whether forwarding is on for dvm alone: then nothing else is forwarded */
  readonly onlyOurs: boolean;
  /** the same of IPv6 */
  readonly onlyOurs6: boolean;
}

/** For nft -f: makes the tables as they have to be, or removes them when nobody is left. */
export function rules({ endpoints, onlyOurs, onlyOurs6 }: RulesOptions): string {
  const clean = [
    "table inet dvm",
    "delete table inet dvm",
    "table bridge dvm",
    "delete table bridge dvm",
  ];
  if (endpoints.length === 0) return `${clean.join("\n")}\n`;
  const networks = [...new Map(endpoints.map(({ network }) => [network.bridge, network])).values()];
  const families = [onlyOurs ? ["ipv4"] : [], onlyOurs6 ? ["ipv6"] : []].flat();
  const inet = inetTable(endpoints, networks, families.map(strangers).join(""));
  const bridge = bridgeTable(endpoints, families.length === 0 ? "" : CROSSING);
  return `${[...clean, inet, bridge].join("\n")}\n`;
}

/** Bit of a packet's mark while it crosses a bridge. */
const CROSSES = 0x0040_0000;

/** The host forwards for dvm, and for nobody else. */
function strangers(family: string): string {
  return `    meta nfproto ${family} meta mark and ${hex(CROSSES)} == 0 drop\n`;
}

/**
 * With br_netfilter what only crosses a bridge, anybody's, passes the chain of what is forwarded as well
 * (net/bridge/br_netfilter_hooks.c, at priority -1 of the bridge's own hook): it is told by a mark that it has meanwhile.
 */
const CROSSING = `  chain crossing {
    type filter hook forward priority -300; policy accept;
    meta mark set meta mark or ${hex(CROSSES)}
  }
  chain crossed {
    type filter hook forward priority 300; policy accept;
    meta mark set meta mark and ${hex(~CROSSES >>> 0)}
  }
`;

function inetTable(
  endpoints: readonly Endpoint[],
  networks: readonly BridgeNetwork[],
  others: string,
): string {
  const bridges = networks.map(({ bridge }) => bridge);
  const internal = networks.filter((each) => each.internal).map(({ bridge }) => bridge);
  return `table inet dvm {
  set bridges { type ifname; ${elements(bridges.map(quoted))} }
  set internal { type ifname; ${elements(internal.map(quoted))} }
${portMaps(endpoints)}
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    # the bridges route loopback addresses for published ports: a guest's own packets to them go nowhere
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
    # from outside a container is reached by its published ports alone
${networks.map(({ bridge, subnet }) => `    iifname != { ${quoted(bridge)}, "lo" } ip daddr ${formatSubnet(subnet)} drop`).join("\n")}
${networks.map(guardFromOutside6).join("")}  }
  chain publish {
    dnat ip to ip daddr . tcp dport map @tcp_at
    dnat ip to ip daddr . udp dport map @udp_at
    dnat ip to tcp dport map @tcp_any
    dnat ip to udp dport map @udp_any
    # a packet from ::1 leaves by no other device, whatever its destination is made
    ip6 daddr ::1 return
    dnat ip6 to ip6 daddr . tcp dport map @tcp6_at
    dnat ip6 to ip6 daddr . udp dport map @udp6_at
    dnat ip6 to tcp dport map @tcp6_any
    dnat ip6 to udp dport map @udp6_any
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    # answers have to come back through the host, which knows the port that was asked for
    oifname @bridges ip saddr 127.0.0.0/8 ct status dnat masquerade
${networks.map(networkMasquerade).join("\n")}
${networks.map(networkMasquerade6).join("")}  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname @internal oifname @internal jump same
    iifname @internal drop
    oifname @internal drop
    ct state established,related accept
    oifname @bridges ct status dnat accept
    iifname @bridges oifname @bridges jump same
    iifname @bridges accept
    oifname @bridges drop
${others}  }
  chain same {
${bridges.map((bridge) => `    iifname ${quoted(bridge)} oifname ${quoted(bridge)} accept`).join("\n")}
    drop
  }
}`;
}

function networkMasquerade({ bridge, subnet, internal }: BridgeNetwork): string {
  const own = `    ip saddr ${formatSubnet(subnet)} ip daddr ${formatSubnet(subnet)} ct status dnat masquerade`;
  if (internal) return own;
  return `    ip saddr ${formatSubnet(subnet)} oifname != ${quoted(bridge)} masquerade\n${own}`;
}

function guardFromOutside6({ bridge, ipv6 }: BridgeNetwork): string {
  if (ipv6 === undefined) return "";
  return `    iifname != { ${quoted(bridge)}, "lo" } ip6 daddr ${ipv6.subnet} drop\n`;
}

function networkMasquerade6({ bridge, ipv6, internal }: BridgeNetwork): string {
  if (ipv6 === undefined) return "";
  const own = `    ip6 saddr ${ipv6.subnet} ip6 daddr ${ipv6.subnet} ct status dnat masquerade\n`;
  if (internal) return own;
  return `    ip6 saddr ${ipv6.subnet} oifname != ${quoted(bridge)} masquerade\n${own}`;
}

/** Of each protocol and family two maps: of ports on every address of the host, and on one. */
function portMaps(endpoints: readonly Endpoint[]): string {
  const maps = (["tcp", "udp"] as const).flatMap((protocol) =>
    ([4, 6] as const).flatMap((family) => {
      const mine = endpoints.flatMap(({ address, address6, ports }) => {
        const to = family === 4 ? address : address6;
        return to === undefined
          ? []
          : ports.filter(isOf(protocol, family)).map((port) => ({ ...port, to }));
      });
      const name = family === 4 ? protocol : `${protocol}6`;
      const type = family === 4 ? "ipv4_addr" : "ipv6_addr";
      const isAny = ({ hostIp }: PublishedPort) => hostIp === ANY[family];
      const target = ({ to, containerPort }: (typeof mine)[number]) => `${to} . ${containerPort}`;
      const any = mine.filter(isAny).map((port) => `${port.hostPort} : ${target(port)}`);
      const at = mine
        .filter((port) => !isAny(port))
        .map((port) => `${port.hostIp} . ${port.hostPort} : ${target(port)}`);
      const values = `${type} . inet_service`;
      return [
        map(`${name}_any`, `inet_service : ${values}`, any),
        map(`${name}_at`, `${type} . inet_service : ${values}`, at),
      ];
    }),
  );
  return maps.join("\n");
}

/** The address of the host that stands for all of its family. */
const ANY = { 4: "0.0.0.0", 6: "::" } as const;

function isOf(wanted: "tcp" | "udp", family: 4 | 6): (port: PublishedPort) => boolean {
  return ({ protocol, hostIp }) => protocol === wanted && hostIp.includes(":") === (family === 6);
}

function map(name: string, type: string, entries: readonly string[]): string {
  return `  map ${name} { type ${type}; ${elements(entries)} }`;
}

/**
 * What comes from a guest's card has that card's address and no other, in every header that could say so. What no
 * guest has to send is dropped: answers of a DHCP server, router advertisements and redirects, groups' memberships,
 * tagged frames, and all of IPv6 where its network has none.
 */
function bridgeTable(endpoints: readonly Endpoint[], crossing: string): string {
  const cards = endpoints.map(({ tap, mac }) => `${quoted(tap)} . ${mac}`);
  const owners = endpoints.map(({ tap, mac, address }) => `${quoted(tap)} . ${mac} . ${address}`);
  const owners6 = endpoints.flatMap((endpoint) =>
    addresses6(endpoint).map((address) => `${quoted(endpoint.tap)} . ${endpoint.mac} . ${address}`),
  );
  return `table bridge dvm {
  set cards { type ifname . ether_addr; ${elements(cards)} }
  set owners { type ifname . ether_addr . ipv4_addr; ${elements(owners)} }
  set owners6 { type ifname . ether_addr . ipv6_addr; ${elements(owners6)} }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname "${TAP_PREFIX}*" jump guest
  }
  chain guest {
    iifname . ether saddr != @cards drop
    ether type arp jump guest_arp
    ether type ip jump guest_ip
    ether type ip6 jump guest_ip6
    drop
  }
  chain guest_arp {
    arp operation { request, reply } iifname . arp saddr ether . arp saddr ip @owners accept
    drop
  }
  chain guest_ip {
    udp sport 67 drop
    iifname . ether saddr . ip saddr @owners accept
    drop
  }
  chain guest_ip6 {
    iifname . ether saddr . ip6 saddr != @owners6 drop
    # none but advertisements that would hide what they are comes from here in pieces (RFC 7113)
    ip6 saddr fe80::/10 exthdr frag exists drop
    udp sport 547 drop
    icmpv6 type { nd-router-advert, nd-redirect, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } drop
    icmpv6 type nd-neighbor-advert jump guest_neighbour
    accept
  }
  chain guest_neighbour {
${endpoints.map(ownNeighbour).join("")}    drop
  }
${crossing}}`;
}

/** Says of its own addresses alone where they are: the target is behind 8 bytes of header (RFC 4861 §4.4). */
function ownNeighbour(endpoint: Endpoint): string {
  const targets = addresses6(endpoint).map((text) => `0x${(parseIpv6(text) ?? 0n).toString(16)}`);
  if (targets.length === 0) return "";
  return `    iifname ${quoted(endpoint.tap)} @th,64,128 { ${targets.join(", ")} } accept\n`;
}

/** Its own in the network, and the one that its card gives itself. */
function addresses6({ address6, mac }: Endpoint): string[] {
  return address6 === undefined ? [] : [address6, linkLocalOf(mac)];
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? "" : `elements = { ${list.join(", ")} };`;
}

function quoted(name: string): string {
  return JSON.stringify(name);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
