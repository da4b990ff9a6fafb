/**
 * Network mode `host`: a machine has a network stack of its own, so it shares what can be shared. Its card has the host's
 * address, what it sends leaves by sockets of the host's (passt), and each port that it listens on becomes one of the
 * host's a moment later, unless the host has it already.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { macAddress } from "../mac-address.ts";
import type { PreparedNetwork } from "../prepared-network.ts";
import { startPasst } from "../user/passt.ts";
import { ServedCard } from "../user/served-card.ts";
import { hostAddress } from "./host-address.ts";
import { makeFolder, PortPublisher, socketIn } from "./port-publisher.ts";
import { SwitchControl, startSwitch } from "./port-switch.ts";
import { CONTROL_SOCKET } from "./switch-config.ts";

export interface HostNetworkOptions {
  /** id of the container */
  readonly container: string;
  /** private folder of the machine */
  readonly runDirectory: string;
}

/**
 * Where packets go that leave the guest's own network, and where its names are asked for: link-local addresses
 * (RFC 3927), which no other network of the host's routes. What is sent to the gateway itself reaches the host's
 * loopback services.
 */
const HOST_GATEWAY = "169.254.77.2";
const NAME_SERVER = "169.254.77.3";
/** For a host that has no address but its loopback's. */
const ALONE = { address: "169.254.77.1", prefix: 24 };
const GATEWAY_MAC = "02:00:00:00:02:02";
const MTU = 65_520;
const FOLDER = "host-network";
const FIRST = "p";
/** Where the hypervisor connects. */
const VMM_SOCKET = "vmm.sock";

/** @throws DvmError `NETWORK_TOOL_MISSING`, `NETWORK_FAILED`; nothing is left behind then */
export async function openHostNetwork(options: HostNetworkOptions): Promise<PreparedNetwork> {
  const own = (await hostAddress()) ?? ALONE;
  const mac = macAddress(options.container, "host");
  const folder = join(options.runDirectory, FOLDER);
  makeFolder(folder);
  let publisher: PortPublisher | undefined;
  const card = new ServedCard(join(folder, VMM_SOCKET), async (connection, keep) => {
    makeFolder(join(folder, FIRST));
    const passt = passtOptions(own);
    keep(await startPasst({ ...passt, runDirectory: join(folder, FIRST), ports: [] }));
    const greeting = { mac, address: own.address, target: HOST_GATEWAY };
    const served = { connection: await connection, passt: socketIn(FIRST), greeting };
    // that of a switch for an earlier machine
    rmSync(join(folder, CONTROL_SOCKET), { force: true });
    keep(await startSwitch(folder, served));
    const { control } = await SwitchControl.open(folder);
    publisher = keep(new PortPublisher({ control, routes: [], folder, passt }));
  });
  return {
    // there is none before all is in place
    get follower() {
      if (publisher === undefined) throw new TypeError("the host's network is not in place yet");
      return publisher;
    },
    hosts: [`${HOST_GATEWAY} host.docker.internal`],
    devices: [{ mac, backend: { kind: "stream", path: card.path } }],
    interfaces: [
      {
        mac,
        name: "eth0",
        addresses: [`${own.address}/${own.prefix}`],
        gateways: [HOST_GATEWAY],
        mtu: MTU,
      },
    ],
    nameServers: [NAME_SERVER],
    gateway: HOST_GATEWAY,
    ports: [],
    connect: (spares) => card.connect(spares),
    settled: () => card.settled(),
    [Symbol.asyncDispose]: () => card[Symbol.asyncDispose](),
  };
}

/** Takes over the ports of a machine that an earlier daemon connected; nothing for one of another mode. */
export async function adoptHostNetwork(runDirectory: string): Promise<PortPublisher | undefined> {
  const folder = join(runDirectory, FOLDER);
  try {
    const { control, routes } = await SwitchControl.open(folder);
    const passt = passtOptions((await hostAddress()) ?? ALONE);
    return new PortPublisher({ control, routes, folder, passt });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    throw error;
  }
}

function passtOptions({ address, prefix }: { readonly address: string; readonly prefix: number }) {
  return {
    address,
    prefix,
    gateway: HOST_GATEWAY,
    nameServer: NAME_SERVER,
    mac: GATEWAY_MAC,
    mtu: MTU,
    reachesHost: true,
  };
}
