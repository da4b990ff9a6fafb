/**
 * What a container can be asked for through the API and does not get here. Each wish is refused by name: a
 * container that silently lacks what was asked for would be worse.
 */

import type { CreateBody, HostConfigBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

/** Container modes of namespaces that are what a virtual machine gives anyway. */
const OWN_NAMESPACE: ReadonlySet<string> = new Set(["", "private", "shareable", "default"]);

type Wish = readonly [what: string, isThere: boolean];

/** @throws DvmError `UNSUPPORTED` for the first wish that cannot be met */
export function refuseUnsupported(body: CreateBody): void {
  refuseFirst(configWishes(body));
  refuseFirst(hostWishes(body.HostConfig));
  refuseFirst(resourceWishes(body.HostConfig));
}

type ResourceBody = Pick<
  HostConfigBody,
  | `Blkio${"Weight" | "WeightDevice" | "DeviceReadBps" | "DeviceWriteBps"}`
  | `BlkioDevice${"Read" | "Write"}IOps`
  | "CgroupParent"
  | `CpuRealtime${"Period" | "Runtime"}`
  | "CpusetMems"
  | "Devices"
  | "DeviceCgroupRules"
  | "DeviceRequests"
  | "KernelMemory"
  | "KernelMemoryTCP"
  | "MemorySwappiness"
  | "OomKillDisable"
>;

/** The same for limits alone. @throws DvmError `UNSUPPORTED` */
export function refuseUnsupportedResources(resources: ResourceBody): void {
  refuseFirst(resourceWishes(resources));
}

function refuseFirst(wishes: readonly Wish[]): void {
  const wish = wishes.find(([, isThere]) => isThere);
  if (wish !== undefined) throw apiError("UNSUPPORTED", `${wish[0]} is not supported`);
}

function configWishes(body: CreateBody): Wish[] {
  return [
    ["Volumes", Object.keys(body.Volumes).length > 0],
    ["MacAddress", body.MacAddress !== ""],
    [
      "Healthcheck without a command",
      body.Healthcheck?.Test[0] === "CMD" && body.Healthcheck.Test.length < 2,
    ],
  ];
}

function hostWishes(host: HostConfigBody): Wish[] {
  const other = host.Mounts.find(({ Type }) => Type !== "tmpfs");
  return [
    ["HostConfig.Binds", host.Binds.length > 0],
    [`a mount of type ${JSON.stringify(other?.Type)} in HostConfig.Mounts`, other !== undefined],
    ["HostConfig.VolumesFrom", host.VolumesFrom.length > 0],
    ["HostConfig.PortBindings", Object.keys(host.PortBindings).length > 0],
    ["HostConfig.PublishAllPorts", host.PublishAllPorts],
    ["HostConfig.Links", host.Links.length > 0],
    mode("IpcMode", host.IpcMode, OWN_NAMESPACE),
    mode("PidMode", host.PidMode, OWN_NAMESPACE),
    mode("UTSMode", host.UTSMode, OWN_NAMESPACE),
    mode("CgroupnsMode", host.CgroupnsMode, OWN_NAMESPACE),
    mode("UsernsMode", host.UsernsMode, new Set(["", "host", "private"])),
    mode("Isolation", host.Isolation, new Set(["", "default"])),
    mode("Runtime", host.Runtime, new Set(["", "dvm"])),
    ["HostConfig.Cgroup", host.Cgroup !== ""],
    ["HostConfig.MaskedPaths", host.MaskedPaths !== undefined && !host.Privileged],
    ["HostConfig.ReadonlyPaths", host.ReadonlyPaths !== undefined && !host.Privileged],
  ];
}

function mode(field: string, value: string, known: ReadonlySet<string>): Wish {
  return [`HostConfig.${field} ${JSON.stringify(value.slice(0, 100))}`, !known.has(value)];
}

function resourceWishes(limits: ResourceBody): Wish[] {
  return [
    ["HostConfig.CgroupParent", limits.CgroupParent !== ""],
    ["HostConfig.BlkioWeight", limits.BlkioWeight !== 0],
    ["HostConfig.BlkioWeightDevice", limits.BlkioWeightDevice.length > 0],
    ["HostConfig.BlkioDeviceReadBps", limits.BlkioDeviceReadBps.length > 0],
    ["HostConfig.BlkioDeviceWriteBps", limits.BlkioDeviceWriteBps.length > 0],
    ["HostConfig.BlkioDeviceReadIOps", limits.BlkioDeviceReadIOps.length > 0],
    ["HostConfig.BlkioDeviceWriteIOps", limits.BlkioDeviceWriteIOps.length > 0],
    ["HostConfig.CpuRealtimePeriod", limits.CpuRealtimePeriod !== 0],
    ["HostConfig.CpuRealtimeRuntime", limits.CpuRealtimeRuntime !== 0],
    ["HostConfig.CpusetMems", limits.CpusetMems !== ""],
    ["HostConfig.Devices", limits.Devices.length > 0],
    ["HostConfig.DeviceCgroupRules", limits.DeviceCgroupRules.length > 0],
    ["HostConfig.DeviceRequests", limits.DeviceRequests.length > 0],
    ["HostConfig.KernelMemory", limits.KernelMemory !== 0 || limits.KernelMemoryTCP !== 0],
    ["HostConfig.MemorySwappiness", (limits.MemorySwappiness ?? -1) !== -1],
    ["HostConfig.OomKillDisable", limits.OomKillDisable === true],
  ];
}
