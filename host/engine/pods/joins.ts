/** Whose namespaces a container is to have instead of its own: what `container:` means in a configuration. */

import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";

/** The namespaces that a container may have of another one, with the configuration's words for them. */
export interface Joins {
  readonly network?: string;
  readonly pid?: string;
  readonly ipc?: string;
}

type JoiningConfig = Partial<Pick<ContainerConfig, "network" | "pidMode" | "ipcMode">>;

const PREFIX = "container:";

/** Names or ids of the containers, by namespace; none: the container has all of its own. */
export function joinsOf({ network = "", pidMode = "", ipcMode = "" }: JoiningConfig): Joins {
  return {
    ...joined("network", network),
    ...joined("pid", pidMode),
    ...joined("ipc", ipcMode),
  };
}

function joined(kind: keyof Joins, mode: string): Joins {
  return mode.startsWith(PREFIX) ? { [kind]: mode.slice(PREFIX.length) } : {};
}

/** Whether the container runs in another one's machine. */
export function isJoined(config: JoiningConfig): boolean {
  return Object.keys(joinsOf(config)).length > 0;
}

/** The configuration with full ids in place of what a user calls the containers. @param idOf finds them, or throws */
export function resolveJoins<T extends JoiningConfig>(
  config: T,
  idOf: (reference: string) => string,
): T {
  const { network, pid, ipc } = joinsOf(config);
  return {
    ...config,
    ...(network === undefined ? {} : { network: `${PREFIX}${idOf(network)}` }),
    ...(pid === undefined ? {} : { pidMode: `${PREFIX}${idOf(pid)}` }),
    ...(ipc === undefined ? {} : { ipcMode: `${PREFIX}${idOf(ipc)}` }),
  };
}

type CheckedConfig = JoiningConfig &
  Pick<
    ContainerConfig,
    "networking" | "hostname" | "extraHosts" | "dns" | "userNamespace" | "storageDriver"
  > & { readonly exposedPorts?: readonly string[] };

/**
 * What contradicts another container's network or machine, in Docker's words where it has some (moby runconfig
 * validateNetContainerMode).
 *
 * @throws DvmError `CONFIG_INVALID`, `NOT_SUPPORTED`
 */
export function checkJoins(config: CheckedConfig): void {
  const joins = joinsOf(config);
  if (Object.values(joins).includes("")) {
    const [kind] = Object.keys(joins).filter((key) => joins[key as keyof Joins] === "");
    throw engineError(
      "CONFIG_INVALID",
      `invalid ${kind} mode: invalid container format container:<name|id>`,
    );
  }
  if (joins.network !== undefined) refuseFirst(networkConflicts(config));
  if (isJoined(config)) checkMachine(config, joins);
}

function networkConflicts(config: CheckedConfig): readonly (readonly [string, boolean])[] {
  const { hostname, extraHosts, dns, networking = {}, exposedPorts = [] } = config;
  const { ports = [], publishAll = false, mac, aliases = [], further = [] } = networking;
  const hasDns = dns.servers.length + dns.search.length + dns.options.length > 0;
  return [
    ["hostname and the network mode", hostname !== undefined],
    ["dns and the network mode", hasDns],
    ["custom host-to-IP mapping and the network mode", extraHosts.length > 0],
    ["mac-address and the network mode", mac !== undefined],
    ["port publishing and the container type network mode", ports.length > 0 || publishAll],
    ["port exposing and the container type network mode", exposedPorts.length > 0],
    ["network aliases and the container type network mode", aliases.length > 0],
    ["further networks and the container type network mode", further.length > 0],
  ];
}

function refuseFirst(conflicts: readonly (readonly [string, boolean])[]): void {
  const conflict = conflicts.find(([, isThere]) => isThere);
  if (conflict === undefined) return;
  throw engineError("CONFIG_INVALID", `conflicting options: ${conflict[0]}`);
}

function checkMachine({ network, userNamespace, storageDriver }: CheckedConfig, joins: Joins) {
  if (joins.network === undefined && network !== "none") {
    const kind = joins.pid === undefined ? "ipc" : "pid";
    const other = joins.pid ?? joins.ipc;
    throw engineError(
      "NOT_SUPPORTED",
      `--${kind} container:${other} with a network of its own is not supported`,
      {
        hint: `it runs in that container's machine, whose network cards are its own: add --network container:${other}, or --network none`,
      },
    );
  }
  if (userNamespace !== undefined) {
    throw engineError(
      "CONFIG_INVALID",
      "conflicting options: a private user namespace and another container's namespaces",
    );
  }
  if (storageDriver === "virtiofs") {
    throw engineError("NOT_SUPPORTED", "a folder as root of a container that joins another one", {
      hint: "folders are shared with a machine when it starts: import the folder as an image",
    });
  }
}
