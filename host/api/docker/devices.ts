/** The devices of a container between Docker's fields and the engine's terms. */

import type { ContainerConfig, DeviceMapping } from "../../engine/container-config.ts";
import type { HostConfigBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

type Devices = Pick<ContainerConfig, "devices" | "deviceRules">;
type DeviceFields = Pick<HostConfigBody, "Devices" | "DeviceCgroupRules">;

/** @throws DvmError `BAD_REQUEST` */
export function readDevices({ Devices, DeviceCgroupRules }: DeviceFields): Devices {
  return {
    ...(Devices.length === 0 ? {} : { devices: Devices.map(readDevice) }),
    ...(DeviceCgroupRules.length === 0 ? {} : { deviceRules: DeviceCgroupRules }),
  };
}

export function writeDevices({ devices = [], deviceRules = [] }: Devices) {
  return {
    Devices: devices.map(({ source, path, access }) => ({
      PathOnHost: source,
      PathInContainer: path,
      CgroupPermissions: `${access.read ? "r" : ""}${access.write ? "w" : ""}m`,
    })),
    DeviceCgroupRules: deviceRules.length === 0 ? null : deviceRules,
  };
}

function readDevice(device: DeviceFields["Devices"][number]): DeviceMapping {
  const { PathOnHost: source, PathInContainer, CgroupPermissions: access } = device;
  if (source === "" || !/^[rwm]{0,3}$/.test(access)) {
    throw apiError("BAD_REQUEST", `invalid device: ${source.slice(0, 100)} ${access.slice(0, 20)}`);
  }
  const all = access === "";
  return {
    source,
    path: PathInContainer === "" ? source : PathInContainer,
    access: { read: all || access.includes("r"), write: all || access.includes("w") },
  };
}
