/** What a mode of network hands to whoever starts the machine. */

import type { Socket } from "node:net";

/** A network card of the machine, as the hypervisor takes it. */
export interface NetworkCard {
  /** MAC address, lower case with colons */
  readonly mac: string;
  readonly backend:
    | { readonly kind: "tap"; readonly name: string }
    | { readonly kind: "stream"; readonly path: string };
}

/** What a machine that was kept ready has in the place of a card of its networks. */
export type SpareCard =
  | { readonly kind: "tap"; readonly name: string }
  /** the hypervisor's end of a card, of which nothing has been read; the taker's */
  | { readonly kind: "stream"; readonly connection: Socket };

export interface ConnectedMachine {
  /** whether its guest goes on where it was saved: it can send before `settled`, and is held to the rules from the start */
  readonly isRunning?: boolean;
}

/** An interface as the guest is told to set it up. */
export interface GuestInterface {
  readonly mac: string;
  /** name in the guest */
  readonly name: string;
  /** `address/prefix` */
  readonly addresses: readonly string[];
  /** addresses of the default routers */
  readonly gateways: readonly string[];
  /** largest packet, in `bytes` */
  readonly mtu: number;
}

/** A port of the container that the host has. */
export interface PublishedPort {
  /** address of the host; `0.0.0.0`: all */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/** A socket of the guest's. */
export interface GuestListener {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** whether it waits for somebody; else connections are what is left of it */
  readonly waits: boolean;
}

/** Makes ports of the guest the host's for as long as the guest has them. */
export interface PortFollower {
  /** TCP ports that stay as long as they have connections */
  readonly held: readonly number[];
  readonly ports: readonly PublishedPort[];
  /** @returns whether something is different now, and what the host has refused for the first time */
  follow(listeners: readonly GuestListener[]): Promise<{
    readonly isChanged: boolean;
    readonly refusals: readonly string[];
  }>;
  /** Lets go of the machine, which keeps its ports for the next daemon. */
  release(): void;
}

/** A container's network, chosen and on its way into being; disposing of it takes it down again. */
export interface PreparedNetwork extends AsyncDisposable {
  /**
   * Makes what the cards are at the host, before the machine has them. May be called again, for another machine in the
   * place of one that was of no use. Absent: there is nothing to make.
   *
   * @param spares of a machine that was kept ready, in the order of `devices`; absent: one that is about to start
   */
  readonly connect?: (spares?: readonly SpareCard[], machine?: ConnectedMachine) => Promise<void>;
  /**
   * Settles when nothing is missing any more; nothing of the container's runs before. What is quickly made is begun when
   * this is called: once the machine has been told what it has to do meanwhile. Absent: nothing is missing.
   */
  readonly settled?: () => Promise<void>;
  readonly devices: readonly NetworkCard[];
  readonly interfaces: readonly GuestInterface[];
  /** name servers of the network */
  readonly nameServers: readonly string[];
  readonly ports: readonly PublishedPort[];
  /** the host's address in the network, where it is one network */
  readonly gateway?: string;
  /** the same of IPv6 */
  readonly gateway6?: string;
  /** of a network where the ports are those that the guest has */
  readonly follower?: PortFollower;
  /** lines of /etc/hosts that belong to it */
  readonly hosts?: readonly string[];
}
