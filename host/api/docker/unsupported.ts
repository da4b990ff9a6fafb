/**
 * What a container can be asked for through the API and does not get here. Each wish is refused by name: a
 * container that silently lacks what was asked for would be worse.
 */

import type { CreateBody, HostConfigBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

/** Container modes of namespaces that are what a virtual machine gives anyway. */
const OWN_NAMESPACE: ReadonlySet<string> = new Set(["", "private", "shareable", "default"]);

type Wish = readonly [what: string, isThere: boolean, hint?: string];

/** @throws DvmError `UNSUPPORTED` for the first wish that cannot be met */
export function refuseUnsupported(body: CreateBody): void {
  refuseFirst(configWishes(body));
  refuseFirst(hostWishes(body.HostConfig));
  refuseFirst(resourceWishes(body.HostConfig));
}

type ResourceBody = Pick<
  HostConfigBody,
  | "BlkioWeightDevice"
  | "CgroupParent"
  | `CpuRealtime${"Period" | "Runtime"}`
  | "DeviceRequests"
  | "KernelMemory"
  | "KernelMemoryTCP"
>;

/** The same for limits alone. @throws DvmError `UNSUPPORTED` */
export function refuseUnsupportedResources(resources: ResourceBody): void {
  refuseFirst(resourceWishes(resources));
}

function refuseFirst(wishes: readonly Wish[]): void {
  const wish = wishes.find(([, isThere]) => isThere);
  if (wish === undefined) return;
  const [what, , hint] = wish;
  const details = hint === undefined ? {} : { hint };
  throw apiError("UNSUPPORTED", `${what} is not supported`, details);
}

function configWishes(body: CreateBody): Wish[] {
  return [
    [
      "Healthcheck without a command",
      body.Healthcheck?.Test[0] === "CMD" && body.Healthcheck.Test.length < 2,
    ],
  ];
}

function hostWishes(host: HostConfigBody): Wish[] {
  return [
    ["HostConfig.Links", host.Links.length > 0],
    otherMode("IpcMode", host.IpcMode),
    otherMode("PidMode", host.PidMode),
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

/** As `mode`, where a namespace of another container will do too. */
function otherMode(field: string, value: string): Wish {
  return mode(field, value.startsWith("container:") ? "" : value, OWN_NAMESPACE);
}

function mode(field: string, value: string, known: ReadonlySet<string>): Wish {
  return [`HostConfig.${field} ${JSON.stringify(value.slice(0, 100))}`, !known.has(value)];
}

function resourceWishes(limits: ResourceBody): Wish[] {
  return [
    ["HostConfig.CgroupParent", limits.CgroupParent !== ""],
    [
      "HostConfig.BlkioWeightDevice",
      limits.BlkioWeightDevice.length > 0,
      "--blkio-weight is for all disks of the container",
    ],
    ["HostConfig.CpuRealtimePeriod", limits.CpuRealtimePeriod !== 0],
    ["HostConfig.CpuRealtimeRuntime", limits.CpuRealtimeRuntime !== 0],
    ["HostConfig.DeviceRequests", limits.DeviceRequests.length > 0],
    ["HostConfig.KernelMemory", limits.KernelMemory !== 0 || limits.KernelMemoryTCP !== 0],
  ];
}
