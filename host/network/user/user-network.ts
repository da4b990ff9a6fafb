/** Network mode `user`: the machine's packets become sockets of the user who runs it; nothing needs privilege. */

import type { CardPolicy } from "../bridge/endpoint.ts";
import { macAddress } from "../mac-address.ts";
import { type PortRequest, reservePorts, withoutIpv6 } from "../port-mapping.ts";
import type { PreparedNetwork } from "../prepared-network.ts";
import { type Filter, startFilter, watchDenials } from "./filter/start-filter.ts";
import { NOBODY, startPasst } from "./passt.ts";

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
  const { ports } = await choosePorts(withoutIpv6(options.ports));
  await using undo = new AsyncDisposableStack();
  const passt = await startPasst({
    ...NETWORK,
    runDirectory: options.runDirectory,
    mac: GATEWAY_MAC,
    mtu: MTU,
    ports,
  });
  undo.use(passt);
  const { policy } = options;
  const filter =
    policy === undefined
      ? undefined
      : await holdToPolicy(options, policy, { mac, passt: passt.socket });
  if (filter !== undefined) {
    undo.use(filter);
    undo.use(watchDenials(options.runDirectory));
  }
  const held = undo.move();
  return {
    devices: [{ mac, backend: { kind: "stream", path: (filter ?? passt).socket } }],
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
    ports,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Takes over what tells of a machine that an earlier process connected; passt and the filter end with it. */
export function adoptUserNetwork(runDirectory: string): Disposable {
  return watchDenials(runDirectory);
}

function holdToPolicy(
  { container, runDirectory }: UserNetworkOptions,
  policy: CardPolicy,
  { mac, passt }: { readonly mac: string; readonly passt: string },
): Promise<Filter> {
  return startFilter({
    ...policy,
    container,
    runDirectory,
    mac,
    passt,
    address: NETWORK.address,
    nameServer: NETWORK.nameServer,
    ...(process.getuid?.() === 0 ? { runAs: NOBODY } : {}),
  });
}

/**
 * passt says nothing of ports that it does not get as long as it gets one of a range: so each is tried here first,
 * and let go of for passt to take.
 */
async function choosePorts(requests: readonly PortRequest[]) {
  await using reserved = await reservePorts(requests);
  return { ports: reserved.ports };
}
