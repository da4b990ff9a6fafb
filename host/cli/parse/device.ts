/** --device HOST[:CONTAINER][:rwm] and --device-cgroup-rule (docker/cli cli/command/container/opts.go). */

import type { ContainerConfig } from "../../api/engine-api.ts";

type DeviceMapping = NonNullable<ContainerConfig["devices"]>[number];

/** @throws Error with Docker's words */
export function parseDevice(text: string): DeviceMapping {
  const [source = "", second, third, ...more] = text.split(":");
  if (source === "" || more.length > 0) throw new Error(`invalid device specification: ${text}`);
  const isMode = second !== undefined && third === undefined && isAccess(second);
  const path = second === undefined || isMode ? source : second;
  const access = third ?? (isMode ? second : "rwm");
  if (!isAccess(access)) throw new Error(`invalid device specification: ${text}`);
  return { source, path, access: { read: access.includes("r"), write: access.includes("w") } };
}

/** @throws Error with Docker's words */
export function parseDeviceRule(text: string): string {
  if (/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw new Error(`invalid device cgroup format '${text}'`);
}

function isAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}
