/** A machine that goes on where another was saved: told, before its container moves on, that it is one of its own. */

import { type AgentClient, connectAgent } from "../../agent/agent-client.ts";
import type { NetworkDeviceConfig } from "../../vmm/hypervisor.ts";
import {
  type BootedMachine,
  type BootOptions,
  configureMachine,
  machineConfig,
  PHASE_OF_STAGE,
} from "../boot-machine.ts";
import type { ContainerConfig } from "../container-config.ts";
import { withDeadline } from "../deadline.ts";
import { engineError } from "../errors.ts";
import { networkFiles } from "../networks/network-files.ts";
import { NO_NETWORK } from "../networks/prepare-network.ts";
import type { SavedRun } from "./snapshot-meta.ts";

export interface RestoreOptions {
  /** file of the machine */
  readonly memory: string;
  readonly saved: SavedRun;
  readonly config: ContainerConfig;
  /** called before the guest is spoken to (`TakeOver.prepare`) */
  readonly prepare: (client: AgentClient) => void;
}

export interface RestoredMachine extends BootedMachine {
  /** lets the container move on, unless a user had paused it */
  readonly release: () => Promise<void>;
}

/** @throws DvmError; the machine is gone then */
export async function restoreMachine(
  options: BootOptions,
  { memory, saved, config: wanted, prepare }: RestoreOptions,
): Promise<RestoredMachine> {
  const { container, hypervisor, deadlines, signal } = options;
  const config = machineConfig(options);
  checkCards(config.networks, saved);
  await using parts = new AsyncDisposableStack();
  await options.network?.connect?.([], { isRunning: true });
  const machine = parts.use(
    await hypervisor.start(config, {
      detached: true,
      ...(signal && { signal }),
      restoreFrom: { path: memory, format: saved.format },
      onStage: (stage, milliseconds) =>
        options.onEvent({
          type: "phase-end",
          container,
          phase: PHASE_OF_STAGE[stage],
          milliseconds,
        }),
    }),
  );
  options.onProcess?.(machine.pid);
  const settled = options.network?.settled?.();
  // what fails before is the one to tell of
  settled?.catch(() => {});
  const { generation, inGuest, isPaused } = saved;
  const agent = await withDeadline(
    connectAgent(machine.agent, {
      takeOver: { generation, prepare },
      alias: { name: container, inGuest },
      ...(signal && { signal }),
    }),
    { what: "the guest agent's hello", milliseconds: deadlines.hello, signal },
  );
  parts.defer(() => agent.close());
  await configureMachine(agent, { ...options, network: NO_NETWORK });
  if (config.networks.length > 0) await changeNetwork(agent, options, saved, wanted);
  await settled;
  const held = parts.move();
  return {
    machine,
    agent,
    release: async () => {
      if (isPaused) return;
      const resumed = agent.request({ type: "container.resume", container });
      await withDeadline(resumed, { what: "resuming", milliseconds: deadlines.container, signal });
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Its devices are what they were. */
function checkCards(cards: readonly NetworkDeviceConfig[], { networks }: SavedRun): void {
  const saved = networks.attachments.length;
  if (cards.length === saved) return;
  const what = `the container was in ${saved} networks when it was saved, and is to be in ${cards.length}`;
  throw engineError("NOT_SUPPORTED", what);
}

/** The cards have the addresses of the machine that was saved. */
async function changeNetwork(
  agent: AgentClient,
  { container, hostname, network = NO_NETWORK, deadlines }: BootOptions,
  { networks: { attachments } }: SavedRun,
  config: ContainerConfig,
): Promise<void> {
  const disconnect = attachments.map(({ mac, address, prefix, gateway, ipv6 }) => ({
    mac,
    carried: false,
    addresses: [
      `${address}/${prefix}`,
      ...(ipv6 ? [`${ipv6.address}/${ipv6.prefix}`] : []),
      `${linkLocalOf(mac)}/64`,
    ],
    gateways: [gateway, ipv6?.gateway ?? ""].filter((each) => each !== ""),
  }));
  const connect = network.interfaces.map((wanted, index) => {
    const clonedMac = attachments[index]?.mac;
    return clonedMac === undefined ? wanted : { ...wanted, clonedMac };
  });
  const { extraHosts, dns } = networkFiles(hostname, config, network);
  const add = extraHosts.slice(config.extraHosts.length);
  const names = add[0]?.replace(/^\S+/, "") ?? "";
  const remove = attachments.flatMap(({ address, ipv6 }) =>
    [address, ...(ipv6 ? [ipv6.address] : [])].map((each) => each + names),
  );
  const hosts = { remove, add };
  const request = agent.request({
    type: "container.network",
    container,
    disconnect,
    connect,
    hosts,
    dns,
  });
  await withDeadline(request, {
    what: "changing the network",
    milliseconds: deadlines.configure,
  });
}

/** What the kernel has given the card by itself: its MAC address as an interface identifier (RFC 4291 appendix A). */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(":").map((byte) => Number.parseInt(byte, 16));
  const [first = 0, ...rest] = bytes;
  const id = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  const groups = [0, 2, 4, 6].map((at) => (((id[at] ?? 0) << 8) | (id[at + 1] ?? 0)).toString(16));
  return `fe80::${groups.join(":")}`;
}
