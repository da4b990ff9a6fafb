/** The files of a machine, and no others: what its QEMU finds in the jail. */

import { existsSync } from "node:fs";
import type { Accelerator, MachineConfig } from "../hypervisor.ts";
import type { JailEntry } from "../jail/jail.ts";
import { filesOf } from "./disk-files.ts";

/** What QEMU brings along beside its libraries where it was built by hand. */
export interface MachineFiles {
  readonly config: MachineConfig;
  readonly accelerator: Accelerator;
  /** descriptors that QEMU opens again, by their path in /proc */
  readonly inherited?: readonly number[];
  /** further entries: of a template that is being made, or folders of files that come later */
  readonly further?: readonly JailEntry[];
}

/** A missing file is not named: QEMU, or who checks before, says what is missing. */
export function jailEntries(files: MachineFiles): JailEntry[] {
  const { config, accelerator, inherited = [], further = [] } = files;
  const { kernel, initramfs, disks, networks, runDirectory } = config;
  const entries: JailEntry[] = [kernel, initramfs].map((path) => ({ path, access: "read" }));
  entries.push({ path: runDirectory, access: "write" }, ...further);
  for (const disk of disks) {
    const isWritten = (path: string) =>
      !disk.readOnly && (disk.source.kind === "extents" || disk.source.backing !== path);
    if (disk.source.kind === "file" && disk.source.isDevice) {
      entries.push({ path: disk.source.path, access: "device" });
      continue;
    }
    for (const path of filesOf([disk])) {
      entries.push({ path, access: isWritten(path) ? "write" : "read" });
    }
  }
  for (const { backend } of networks) {
    if (backend.kind === "tap") entries.push({ path: "/dev/net/tun", access: "device" });
    else entries.push({ path: backend.path, access: "write" });
  }
  if (accelerator === "kvm") entries.push({ path: "/dev/kvm", access: "device" });
  return [
    ...entries.filter(({ path }) => path !== "/" && existsSync(path)),
    ...inherited.map((fd) => ({ path: `/proc/self/fd/${fd}`, access: "inherited" }) as const),
  ];
}
