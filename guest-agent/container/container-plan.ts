/** All that can be decided about a container before it exists: its mounts, files and kernel parameters, checked. */

import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../linux/sched.ts";
import type { ContainerSpec, MountSpec } from "../protocol/container-spec.ts";
import { defaultMounts, TMPFS_OPTIONS } from "./default-mounts.ts";
import { containerError } from "./errors.ts";
import { cleanPath } from "./inside-root.ts";
import type { PlannedMount } from "./mount-inside.ts";
import { parseMountOptions } from "./mount-options.ts";

export interface ContainerPlan {
  readonly spec: ContainerSpec;
  /** `CLONE_NEW*` of the namespaces that are the container's own, without those in `unshared` */
  readonly cloned: number;
  /** those of the namespaces that are another container's */
  readonly joined: number;
  /** CLONE_NEWCGROUP where it is the container's own: its root is the group that the process is in when it asks */
  readonly unshared: number;
  /** the kernel's views at the top of the root: /proc, /dev and /sys */
  readonly views: readonly PlannedMount[];
  /** mounts inside of those */
  readonly inner: readonly PlannedMount[];
  /** those asked for */
  readonly mounts: readonly PlannedMount[];
  /** path below /proc/sys, and value */
  readonly sysctls: readonly {
    readonly path: string;
    readonly value: string;
    readonly optional: boolean;
  }[];
}

/** Namespaces that a container may have of another one, with the flags that mean them. */
export const JOINABLE = {
  network: CLONE_NEWNET,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
} as const;

/** Whether the container has a user namespace of its own, in which its users are others than the guest's. */
export function isMapped({ cloned }: Pick<ContainerPlan, "cloned">): boolean {
  return (cloned & CLONE_NEWUSER) !== 0;
}

/** Serials of the disks that `spec` mounts beside its root. */
export function diskMounts(spec: ContainerSpec): string[] {
  return spec.mounts.filter(({ type }) => type === "disk").map(({ source }) => source);
}

/** Names of what the host shares that `spec` mounts, its root too, each once. */
export function shareMounts(spec: ContainerSpec): string[] {
  const names = spec.mounts.filter(({ type }) => type === "virtiofs").map(({ source }) => source);
  const { upper } = spec.rootfs;
  return [...new Set(upper.kind === "share" ? [upper.name, ...names] : names)];
}

/**
 * @param pathOf says where the agent mounted the disk with a serial, or the folder or file of the host with a name
 * @throws ContainerError `CONTAINER_SPEC`
 */
export function planContainer(
  spec: ContainerSpec,
  pathOf: (kind: "disk" | "virtiofs", name: string) => string,
): ContainerPlan {
  checkNames(spec);
  const { namespaces } = spec;
  if (namespaces.user === "private" && spec.privileged) {
    throw containerError(
      "CONTAINER_SPEC",
      "privileged mode is incompatible with a private user namespace",
    );
  }
  const { joins = {} } = spec;
  const isJoined = (kind: string): boolean => joins[kind as keyof typeof joins] !== undefined;
  if (namespaces.user === "private" && Object.keys(JOINABLE).some(isJoined)) {
    throw containerError(
      "CONTAINER_SPEC",
      "a private user namespace is incompatible with another container's namespaces",
    );
  }
  const own = (kind: keyof ContainerSpec["namespaces"], flag: number): number =>
    namespaces[kind] === "private" && !isJoined(kind) ? flag : 0;
  const joined = Object.entries(JOINABLE).filter(([kind]) => isJoined(kind));
  const defaults = defaultMounts({ shmSize: spec.shmSize, privileged: spec.privileged }).map(
    (each): PlannedMount => ({ ...each, ...parseMountOptions(each.options) }),
  );
  const isInner = ({ destination }: PlannedMount): boolean => destination.lastIndexOf("/") > 0;
  return {
    spec,
    cloned:
      CLONE_NEWNS |
      own("pid", CLONE_NEWPID) |
      own("ipc", CLONE_NEWIPC) |
      own("uts", CLONE_NEWUTS) |
      own("network", CLONE_NEWNET) |
      own("user", CLONE_NEWUSER),
    joined: joined.reduce((flags, [, flag]) => flags | flag, 0),
    unshared: own("cgroup", CLONE_NEWCGROUP),
    views: defaults.filter((each) => !isInner(each)),
    inner: defaults.filter(isInner),
    mounts: spec.mounts.map((mount) => planMount(mount, pathOf)),
    sysctls: planSysctls(spec.sysctls, isJoined("network") ? {} : DEFAULT_SYSCTLS),
  };
}

function checkNames({ hostname, domainname }: ContainerSpec): void {
  for (const name of [hostname, domainname]) {
    // __NEW_UTS_LEN of linux/utsname.h
    if (name.length > 64 || /[^\x21-\x7e]/.test(name)) {
      throw containerError(
        "CONTAINER_SPEC",
        `invalid hostname or domainname: ${JSON.stringify(name.slice(0, 80))}`,
      );
    }
  }
}

function planMount(
  mount: MountSpec,
  pathOf: (kind: "disk" | "virtiofs", name: string) => string,
): PlannedMount {
  const { type, source, options } = mount;
  if (!mount.destination.startsWith("/") || /\0/.test(mount.destination)) {
    throw containerError(
      "CONTAINER_SPEC",
      `invalid mount path: '${mount.destination}' mount path must be absolute`,
    );
  }
  const destination = cleanPath(mount.destination);
  if (destination === "/")
    throw containerError("CONTAINER_SPEC", "invalid mount path: destination can't be '/'");
  if (/^\/proc(\/|$)/.test(destination)) {
    throw containerError("CONTAINER_SPEC", `invalid mount path: ${destination} is inside /proc`);
  }
  const common = { destination };
  switch (type) {
    case "tmpfs":
      return {
        ...common,
        ...parseMountOptions([...TMPFS_OPTIONS, ...options]),
        type,
        source: "tmpfs",
      };
    case "virtiofs":
    case "disk":
      return {
        ...common,
        ...parseMountOptions([type === "disk" ? "bind" : "rbind", ...options]),
        type: undefined,
        source: pathOf(type, source),
        ...(mount.subpath === undefined ? {} : { subpath: cleanPath(mount.subpath) }),
      };
    case "bind":
      return { ...common, ...parseMountOptions(["rbind", ...options]), type: undefined, source };
  }
}

/** Docker sets these two unless told otherwise (moby daemon/oci_linux.go): low ports and ping for all users. */
const DEFAULT_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** Parameters that belong to a namespace (runc libcontainer/configs/validate). */
const NAMESPACED =
  /^(net\..+|fs\.mqueue\..+|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced))$/;

function planSysctls(
  given: ContainerSpec["sysctls"],
  defaults: Readonly<Record<string, string>>,
): ContainerPlan["sysctls"] {
  return Object.entries({ ...defaults, ...given }).map(([name, value]) => {
    const path = swapDotsAndSlashes(name);
    if (!NAMESPACED.test(name) || path.split("/").some((part) => !/^\w[\w.-]*$/.test(part))) {
      throw containerError(
        "CONTAINER_SPEC",
        `sysctl "${name.slice(0, 80)}" is not in a separate kernel namespace`,
      );
    }
    return { path: `/proc/sys/${path}`, value, optional: !Object.hasOwn(given, name) };
  });
}

/** sysctl(8): the separator is a dot, and a dot in a name (`net.ipv4.conf.eth0/1.forwarding`) is written as a slash. */
function swapDotsAndSlashes(name: string): string {
  return name.replace(/[./]/g, (each) => (each === "." ? "/" : "."));
}
