/**
 * Devices that a container is given by name. Those of the kernel are the guest's own: a machine has another kernel than
 * its host, and what is asked for is what they do. A disk of the host becomes one of the machine's.
 */

import { statSync } from "node:fs";
import type { DeviceRule, DeviceSpec } from "#protocol";
import type { DiskConfig } from "../vmm/hypervisor.ts";
import type { ContainerConfig, DeviceMapping } from "./container-config.ts";
import { engineError } from "./errors.ts";

/** Major and minor number of what the guest's kernel has (kernel Documentation/admin-guide/devices.txt). */
const CHARACTER_DEVICES: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  "/dev/null": [1, 3],
  "/dev/zero": [1, 5],
  "/dev/full": [1, 7],
  "/dev/random": [1, 8],
  "/dev/urandom": [1, 9],
  "/dev/tty": [5, 0],
  "/dev/net/tun": [10, 200],
  "/dev/fuse": [10, 229],
};

/** What a machine cannot have, and why. */
const REASONS: Readonly<Record<string, string>> = {
  "/dev/kvm": "a machine cannot run machines of its own",
};

type Devices = Pick<ContainerConfig, "devices" | "deviceRules">;

/**
 * @param caller uid of who wants them: a disk is the daemon's own user's to give away
 * @throws DvmError `CONFIG_INVALID`, `NOT_SUPPORTED`
 */
export function checkDevices({ devices = [], deviceRules = [] }: Devices, caller: number): void {
  for (const device of devices) checkDevice(device, caller);
  for (const rule of deviceRules) parseRule(rule);
}

/** What the guest makes of them; absent where there are none. */
export function guestDevices({ devices = [], deviceRules = [] }: Devices): {
  readonly devices?: DeviceSpec[];
  readonly deviceRules?: DeviceRule[];
} {
  return {
    ...(devices.length === 0 ? {} : { devices: devices.map(deviceSpec) }),
    ...(deviceRules.length === 0 ? {} : { deviceRules: deviceRules.map(parseRule) }),
  };
}

/** Disks of the host that the machine has. */
export function deviceDisks({ devices = [] }: Devices): DiskConfig[] {
  return devices.flatMap(({ source, access }, index) =>
    isCharacter(source)
      ? []
      : [
          {
            serial: diskSerial(index),
            readOnly: !access.write,
            source: { kind: "file", path: source, format: "raw", isDevice: true },
          },
        ],
  );
}

function checkDevice({ source, path }: DeviceMapping, caller: number): void {
  if (!/^\/dev\/./.test(path) || path.split("/").some((part) => part === "..")) {
    throw engineError("CONFIG_INVALID", `a device's path in the container is below /dev: ${path}`);
  }
  if (isCharacter(source)) return;
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw engineError("CONFIG_INVALID", `error gathering device information: no ${source}`);
  }
  if (!stat.isBlockDevice()) {
    const why = REASONS[source] ?? "a device of the host's kernel does not reach into a machine";
    const known = Object.keys(CHARACTER_DEVICES).join(", ");
    throw engineError("NOT_SUPPORTED", `device ${source} is not supported: ${why}`, {
      hint: `a machine has ${known}, and disks of its host`,
    });
  }
  if (caller === 0 || caller === process.getuid?.()) return;
  throw engineError("CONFIG_INVALID", `a disk of the host is not for others: ${source}`);
}

function deviceSpec({ source, path, access }: DeviceMapping, index: number): DeviceSpec {
  const [major, minor] = CHARACTER_DEVICES[source] ?? [];
  return {
    path,
    access,
    device:
      major === undefined || minor === undefined
        ? { kind: "disk", serial: diskSerial(index) }
        : { kind: "character", major, minor },
  };
}

function isCharacter(source: string): boolean {
  return Object.hasOwn(CHARACTER_DEVICES, source);
}

function diskSerial(index: number): string {
  return `dvm-device-${index}`;
}

const TYPES = { a: "all", b: "block", c: "character" } as const;

/** `c 10:229 rwm` (kernel Documentation/admin-guide/cgroup-v1/devices.rst). */
function parseRule(text: string): DeviceRule {
  const match = /^([abc]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) {
    throw engineError("CONFIG_INVALID", `invalid device cgroup rule: ${text.slice(0, 100)}`);
  }
  const [, type = "a", major = "*", minor = "*", access = ""] = match;
  return {
    type: TYPES[type as keyof typeof TYPES],
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access: { read: access.includes("r"), write: access.includes("w") },
  };
}
