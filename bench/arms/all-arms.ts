/** The ways to run a container that a bench knows, in the order of its tables: the first that runs is the base. */

import { homedir } from "node:os";
import { join } from "node:path";
import type { Arm } from "./arm.ts";
import { docker } from "./docker.ts";
import { dvm } from "./dvm.ts";
import { ociRuntime } from "./oci-runtime.ts";
import { podman } from "./podman.ts";
import { unshare } from "./unshare.ts";

/** Where the probe of the host keeps what it found. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm");

export const allArms: readonly Arm[] = [
  unshare,
  ociRuntime("runc"),
  ociRuntime("crun"),
  podman,
  docker,
  dvm({ vmm: "qemu", accel: "tcg" }, CACHE),
  dvm({ vmm: "qemu", accel: "kvm" }, CACHE),
  dvm({ vmm: "kvm", accel: "kvm" }, CACHE),
];
