/** What may be changed of a container after its creation. */

import { containerHostname } from "../container-spec.ts";
import { withNetwork, withoutNetwork } from "../networks/change-networks.ts";
import type { ManagedContainer } from "./managed-container.ts";
import type { ContainerUpdate } from "./model.ts";

/** @throws DvmError `WRONG_STATE` unless it runs */
export function pauseContainer(container: ManagedContainer): Promise<void> {
  return container.serial.run(async () => {
    await container.run.pause();
    container.kept.setState({ status: "paused" });
    container.tell("pause");
  });
}

/** @throws DvmError `WRONG_STATE` unless it runs */
export function unpauseContainer(container: ManagedContainer): Promise<void> {
  return container.serial.run(async () => {
    await container.run.unpause();
    container.kept.setState({ status: "running" });
    container.tell("unpause");
  });
}

/**
 * Limits and restart policy, of one that runs too.
 *
 * @returns what of the limits counts from its next start on, in words
 */
export function updateContainer(
  container: ManagedContainer,
  update: ContainerUpdate,
): Promise<readonly string[]> {
  return container.serial.run(async () => {
    const { config, kept } = container;
    const deviceRates = { ...config.resources.deviceRates, ...update.resources.deviceRates };
    const resources = { ...config.resources, ...update.resources, deviceRates };
    const later = container.isRunning ? await container.run.update(resources) : [];
    const { restartPolicy = config.restartPolicy } = update;
    kept.update({ config: { ...config, resources, ...(restartPolicy ? { restartPolicy } : {}) } });
    container.tell("update");
    return later;
  });
}

/** Puts it into a further network, at once if it runs. @throws DvmError; nothing has changed then */
export function connectContainer(
  container: ManagedContainer,
  network: string,
  join: { readonly aliases: readonly string[]; readonly ip?: string },
): Promise<void> {
  return container.serial.run(async () => {
    const config = withNetwork(container.config, network, join);
    const { id, name } = container.record;
    const names = [...new Set([name, containerHostname(id, config), ...join.aliases])];
    if (container.isRunning) await container.run.joinNetwork({ network, names, ip: join.ip });
    container.kept.update({ config });
  });
}

/** Takes it out of a network, at once if it runs. @param network name and id of it */
export function disconnectContainer(
  container: ManagedContainer,
  network: readonly string[],
): Promise<void> {
  return container.serial.run(async () => {
    const config = withoutNetwork(container.config, network);
    if (container.isRunning) await container.run.leaveNetwork(network);
    container.kept.update({ config });
  });
}
