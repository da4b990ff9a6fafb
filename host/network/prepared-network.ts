/** What a mode of network hands to whoever starts the machine. */

/** A network card of the machine, as the hypervisor takes it. */
export interface NetworkCard {
  /** MAC address, lower case with colons */
  readonly mac: string;
  readonly backend:
    | { readonly kind: "tap"; readonly name: string }
    | { readonly kind: "stream"; readonly path: string };
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

/** A container's network, ready for its machine; disposing of it takes it down again. */
export interface PreparedNetwork extends AsyncDisposable {
  readonly devices: readonly NetworkCard[];
  readonly interfaces: readonly GuestInterface[];
  /** name servers of the network */
  readonly nameServers: readonly string[];
  readonly ports: readonly PublishedPort[];
  /** the host's address in the network, where it is one network */
  readonly gateway?: string;
}
