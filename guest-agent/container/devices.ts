/** Devices that a container is given beside Docker's default ones: nodes in its /dev, and the right to open them. */

import { major, makedev, minor, S_IFBLK, S_IFCHR } from "../linux/stat.ts";
import type { ContainerSpec, DeviceRule } from "../protocol/container-spec.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { Disks } from "./disks.ts";
import { containerError } from "./errors.ts";
import { cleanPath } from "./inside-root.ts";

/** A node to make. */
export interface DeviceNode {
  /** below /dev, without it */
  readonly name: string;
  /** S_IFCHR or S_IFBLK */
  readonly type: number;
  readonly device: number;
}

export interface GivenDevices {
  readonly nodes: readonly DeviceNode[];
  readonly rules: readonly DeviceRule[];
}

/** @throws ContainerError for a path elsewhere, or a disk that the machine has not */
export function givenDevices(sys: Syscalls, disks: Disks, spec: ContainerSpec): GivenDevices {
  const nodes: DeviceNode[] = [];
  const rules: DeviceRule[] = [...(spec.deviceRules ?? [])];
  for (const { path, device, access } of spec.devices ?? []) {
    const name = nameOf(path);
    const number =
      device.kind === "character"
        ? makedev(device.major, device.minor)
        : sys.stat(disks.device(device.serial)).rdev;
    const type = device.kind === "character" ? "character" : "block";
    nodes.push({ name, type: type === "character" ? S_IFCHR : S_IFBLK, device: number });
    rules.push({ type, major: major(number), minor: minor(number), access });
  }
  return { nodes, rules };
}

/** In a fresh /dev, where nothing of the image is left to mislead. */
export function makeGivenDevices(sys: Syscalls, dev: string, nodes: readonly DeviceNode[]): void {
  for (const { name, type, device } of nodes) {
    for (let end = name.indexOf("/"); end > 0; end = name.indexOf("/", end + 1)) {
      unlessThere(() => sys.mkdir(`${dev}/${name.slice(0, end)}`, 0o755));
    }
    unlessThere(() => sys.mknod(`${dev}/${name}`, type | 0o666, device));
  }
}

function unlessThere(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!isSyscallError(error, "EEXIST")) throw error;
  }
}

function nameOf(path: string): string {
  const clean = cleanPath(path);
  if (/^\/dev\/./.test(clean) && !/\0/.test(clean)) return clean.slice("/dev/".length);
  throw containerError("CONTAINER_SPEC", `a device's path is below /dev: ${path.slice(0, 100)}`);
}
