/** Networks as the API server asks for them: those of a data root, and the containers of a `Daemon` in them. */

import { connectContainer, disconnectContainer } from "../../engine/daemon/change-container.ts";
import type { Daemon } from "../../engine/daemon/daemon.ts";
import { NetworkStore, type NetworkView } from "../../engine/networks/network-store.ts";
import { networkError } from "../../network/errors.ts";
import type { NetworkCalls } from "./daemon-engine.ts";

export function servedNetworks(daemon: Daemon, dataRoot: string): NetworkCalls {
  const networks = new NetworkStore(dataRoot);

  function tell(
    action: string,
    { id, name, owner }: Pick<NetworkView, "id" | "name" | "owner">,
    container?: string,
  ): void {
    daemon.events.emit({
      type: "network",
      action,
      id,
      attributes: { name, type: "bridge", ...(container === undefined ? {} : { container }) },
      ...(owner === undefined ? {} : { owner }),
    });
  }

  /** A container finds its networks by their names, among those of its owner. */
  function checkMeant({ name, id }: NetworkView, owner: number | undefined): void {
    if (networks.view(name, owner).id === id) return;
    throw networkError("NO_SUCH_NETWORK", `network ${name} of the container's owner is another`);
  }

  return {
    listNetworks: async (caller) => networks.views(caller.uid),
    findNetwork: async (reference, caller) => networks.view(reference, caller.uid),
    createNetwork: async (options, caller) => {
      const network = await networks.create({ ...options, owner: caller.uid });
      tell("create", network);
      return network.id;
    },
    removeNetwork: async (id) => tell("destroy", await networks.remove(id)),
    connectNetwork: async (id, caller, { container, ...join }) => {
      const network = networks.view(id, caller.uid);
      const found = daemon.get(container);
      checkMeant(network, found.record.owner);
      await connectContainer(found, network.name, join);
      tell("connect", network, container);
    },
    disconnectNetwork: async (id, caller, container) => {
      const network = networks.view(id, caller.uid);
      await disconnectContainer(daemon.get(container), [network.name, network.id]);
      tell("disconnect", network, container);
    },
  };
}
