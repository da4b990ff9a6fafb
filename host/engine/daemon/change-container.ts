/** What may be changed of a container after its creation. */

import { cannotRewire } from "./container-refusals.ts";
import type { ManagedContainer } from "./managed-container.ts";
import type { ContainerUpdate, DaemonContainerConfig } from "./model.ts";

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

/** Limits and restart policy, of one that runs too. */
export function updateContainer(
  container: ManagedContainer,
  update: ContainerUpdate,
): Promise<void> {
  return container.serial.run(async () => {
    const { config, kept } = container;
    const resources = { ...config.resources, ...update.resources };
    if (container.isRunning) await container.run.update(resources);
    const { restartPolicy = config.restartPolicy } = update;
    kept.update({ config: { ...config, resources, ...(restartPolicy ? { restartPolicy } : {}) } });
    container.tell("update");
  });
}

/** @param change of a container that does not run @throws DvmError `NOT_SUPPORTED` for one that does */
export function reconfigureContainer(
  container: ManagedContainer,
  change: (config: DaemonContainerConfig) => DaemonContainerConfig,
): Promise<void> {
  return container.serial.run(async () => {
    if (container.isRunning) throw cannotRewire(container.record.name);
    container.kept.update({ config: change(container.config) });
  });
}
