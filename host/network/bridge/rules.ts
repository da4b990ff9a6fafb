/**
 * The nftables tables of dvm, all of them, from who is in which network: a pure function. They are replaced in one
 * transaction, and nobody else's are touched (nft(8), "Input file formats").
 *
 * A packet that these rules accept may still be refused by another table's chain of the same hook: an accept ends the
 * chain that it is in, a drop is final.
 */

import { formatSubnet } from "../ipv4.ts";
import type { PublishedPort } from "../prepared-network.ts";
import { type BridgeNetwork, TAP_PREFIX } from "./bridge-network.ts";
import type { Endpoint } from "./endpoint.ts";

export interface RulesOptions {
  readonly endpoints: readonly Endpoint[];
  /** whether forwarding is on for dvm alone: then nothing else is forwarded */
  readonly onlyOurs: boolean;
}

/** For nft -f: makes the tables as they have to be, or removes them when nobody is left. */
export function rules({ endpoints, onlyOurs }: RulesOptions): string {
  const clean = [
    "table inet dvm",
    "delete table inet dvm",
    "table bridge dvm",
    "delete table bridge dvm",
  ];
  if (endpoints.length === 0) return `${clean.join("\n")}\n`;
  const networks = [...new Map(endpoints.map(({ network }) => [network.bridge, network])).values()];
  return `${[...clean, inetTable(endpoints, networks, onlyOurs), bridgeTable(endpoints)].join("\n")}\n`;
}

function inetTable(
  endpoints: readonly Endpoint[],
  networks: readonly BridgeNetwork[],
  onlyOurs: boolean,
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
  }
  chain publish {
    dnat ip to ip daddr . tcp dport map @tcp_at
    dnat ip to ip daddr . udp dport map @udp_at
    dnat ip to tcp dport map @tcp_any
    dnat ip to udp dport map @udp_any
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
  }
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
${onlyOurs ? "    # the host forwards for dvm, and for nobody else\n    drop" : ""}
  }
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

function portMaps(endpoints: readonly Endpoint[]): string {
  const published = endpoints.flatMap(({ address, ports }) =>
    ports.map((port) => ({ ...port, address })),
  );
  const maps = (["tcp", "udp"] as const).flatMap((protocol) => {
    const mine = published.filter((port) => port.protocol === protocol);
    const target = (port: PublishedPort & { readonly address: string }) =>
      `${port.address} . ${port.containerPort}`;
    const any = mine.filter(({ hostIp }) => hostIp === "0.0.0.0");
    const at = mine.filter(({ hostIp }) => hostIp !== "0.0.0.0");
    return [
      map(
        `${protocol}_any`,
        "inet_service",
        any.map((port) => `${port.hostPort} : ${target(port)}`),
      ),
      map(
        `${protocol}_at`,
        "ipv4_addr . inet_service",
        at.map((port) => `${port.hostIp} . ${port.hostPort} : ${target(port)}`),
      ),
    ];
  });
  return maps.join("\n");
}

function map(name: string, key: string, entries: readonly string[]): string {
  return `  map ${name} { type ${key} : ipv4_addr . inet_service; ${elements(entries)} }`;
}

/**
 * What comes from a guest's card has that card's address and no other, in every header that could say so. What no
 * guest has to send is dropped: answers of a DHCP server, and, there being no IPv6 in these networks, all of IPv6
 * with its router advertisements; tagged frames too.
 */
function bridgeTable(endpoints: readonly Endpoint[]): string {
  const cards = endpoints.map(({ tap, mac }) => `${quoted(tap)} . ${mac}`);
  const owners = endpoints.map(({ tap, mac, address }) => `${quoted(tap)} . ${mac} . ${address}`);
  return `table bridge dvm {
  set cards { type ifname . ether_addr; ${elements(cards)} }
  set owners { type ifname . ether_addr . ipv4_addr; ${elements(owners)} }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname "${TAP_PREFIX}*" jump guest
  }
  chain guest {
    iifname . ether saddr != @cards drop
    ether type arp jump guest_arp
    ether type ip jump guest_ip
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
}`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? "" : `elements = { ${list.join(", ")} };`;
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
