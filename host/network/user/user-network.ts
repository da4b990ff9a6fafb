/** Network mode `user`: the machine's packets become sockets of the user who runs it; nothing needs privilege. */

import { join } from "node:path";
import type { CardPolicy } from "../bridge/endpoint.ts";
import { macAddress } from "../mac-address.ts";
import {
  type PortRequest,
  type ReservedPorts,
  reservePorts,
  withoutIpv6,
} from "../port-mapping.ts";
import type { PreparedNetwork } from "../prepared-network.ts";
import { startFilter, watchDenials } from "./filter/start-filter.ts";
import { NOBODY, type Passt, type PasstOptions, startPasst } from "./passt.ts";
import { type Serve, ServedCard } from "./served-card.ts";

export interface UserNetworkOptions {
  /** id of the container */
  readonly container: string;
  /** private folder of the machine */
  readonly runDirectory: string;
  readonly ports: readonly PortRequest[];
  /** MAC address of the guest's card; absent: one of its own */
  readonly mac?: string;
  /** absent: everything may be reached, as fast as it goes */
  readonly policy?: CardPolicy;
}

/**
 * Every machine sees the same small network, which is nobody else's: the addresses that QEMU's own user mode has
 * made familiar.
 */
const NETWORK = { address: "10.0.2.100", prefix: 24, gateway: "10.0.2.2", nameServer: "10.0.2.3" };
const GATEWAY_MAC = "02:00:00:00:02:02";
/** passt's largest packet: each costs a system call on both sides */
const MTU = 65_520;

/** @throws DvmError `PORT_IN_USE`, `NETWORK_TOOL_MISSING`, `NETWORK_FAILED`; nothing is left behind then */
export async function openUserNetwork(options: UserNetworkOptions): Promise<PreparedNetwork> {
  const mac = options.mac ?? macAddress(options.container, "user");
  // passt says nothing of ports that it does not get as long as it gets one of a range: so they are tried here first
  const reserved = await reservePorts(withoutIpv6(options.ports));
  const serve = serveCard({ ...options, mac, reserved });
  const path = join(options.runDirectory, "card.sock");
  // passt is there long before the guest has made its container, and would take that time from its machine's start
  const card = new ServedCard(path, serve, { isQuick: options.policy === undefined });
  return {
    devices: [{ mac, backend: { kind: "stream", path: card.path } }],
    interfaces: [
      {
        mac,
        name: "eth0",
        addresses: [`${NETWORK.address}/${NETWORK.prefix}`],
        gateways: [NETWORK.gateway],
        mtu: MTU,
      },
    ],
    nameServers: [NETWORK.nameServer],
    gateway: NETWORK.gateway,
    ports: reserved.ports,
    connect: (spares) => card.connect(spares),
    settled: () => card.settled(),
    [Symbol.asyncDispose]: async () => {
      await card[Symbol.asyncDispose]();
      await reserved[Symbol.asyncDispose]();
    },
  };
}

/** Takes over what tells of a machine that an earlier process connected; passt and the filter end with it. */
export function adoptUserNetwork(runDirectory: string): Disposable {
  return watchDenials(runDirectory);
}

interface ServeOptions extends Omit<UserNetworkOptions, "ports" | "mac"> {
  readonly mac: string;
  /** held until passt takes them */
  readonly reserved: ReservedPorts;
}

/** passt, and before it the filter of a machine with a policy. */
function serveCard(options: ServeOptions): Serve {
  const { policy, container, runDirectory, mac } = options;
  if (policy === undefined) {
    return async (connection, keep) =>
      void keep(await startOwnPasst(options, { connection: await connection }));
  }
  return async (connection, keep) => {
    const { socket } = keep(await startOwnPasst(options));
    const filter = await startFilter({
      ...policy,
      container,
      runDirectory,
      mac,
      connection: await connection,
      passt: socket,
      address: NETWORK.address,
      nameServer: NETWORK.nameServer,
      ...(process.getuid?.() === 0 ? { runAs: NOBODY } : {}),
    });
    keep(filter);
    keep(watchDenials(runDirectory));
  };
}

async function startOwnPasst(
  { reserved, runDirectory }: ServeOptions,
  served: Pick<PasstOptions, "connection"> = {},
): Promise<Passt> {
  await reserved[Symbol.asyncDispose]();
  const { ports } = reserved;
  return startPasst({ ...NETWORK, ...served, runDirectory, mac: GATEWAY_MAC, mtu: MTU, ports });
}
