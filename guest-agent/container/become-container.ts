/** A child in new namespaces makes them a container: its root, its mounts, its names, its limits of sight. */

import { IFF_UP, IFREQ, SIOCGIFFLAGS, SIOCSIFFLAGS } from "../linux/if.ts";
import {
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
} from "../linux/mount.ts";
import { PR_SET_DUMPABLE } from "../linux/prctl.ts";
import { CLONE_NEWNET, CLONE_NEWUTS } from "../linux/sched.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "../linux/socket.ts";
import { makedev, S_IFCHR } from "../linux/stat.ts";
import { isSyscallError, type SyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { type ContainerPlan, isMapped } from "./container-plan.ts";
import { DEFAULT_DEVICES, DEVICE_LINKS } from "./default-mounts.ts";
import { type DeviceNode, makeGivenDevices } from "./devices.ts";
import { containerError } from "./errors.ts";
import { writeNewText, writeSetting } from "./file-access.ts";
import { type Kind, openRoot } from "./inside-root.ts";
import type { KernelPaths } from "./kernel-paths.ts";
import { bindMount, mountInside, mountView, type PlannedMount } from "./mount-inside.ts";
import type { Stage } from "./report.ts";
import { encodeText } from "./text.ts";
import { asGuestRoot } from "./user-namespace.ts";

/** What the agent prepared for the container, as paths in the agent's own mount namespace. */
export interface ContainerPlaces {
  /** the mounted root file system */
  readonly root: string;
  /** the container's devpts */
  readonly pts: string;
  /** the /dev/shm that it shares with others; absent: it has its own */
  readonly shm: string | undefined;
  /** nodes beside the default ones */
  readonly devices: readonly DeviceNode[];
  /** files by the path that they appear under, `/etc/hosts` */
  readonly files: Readonly<Record<string, string>>;
  /** what of the kernel's views is hidden or not to be written */
  readonly kernelPaths: KernelPaths;
  /** number of the terminal that is the container's console; absent: no console */
  readonly console: number | undefined;
}

export interface ContainerBirth {
  readonly plan: ContainerPlan;
  readonly places: ContainerPlaces;
}

/**
 * Makes the calling process the first of the container; called in the namespaces of `plan.cloned`. With a user
 * namespace the caller is outside of that one alone, and the first process finds itself in the root that is made.
 *
 * No path of the image is used before it is resolved inside the root, whatever symbolic links it holds.
 */
export function becomeContainer(
  sys: Syscalls,
  { plan, places }: ContainerBirth,
  stage: Stage,
): void {
  stage("leave the agent's namespaces");
  leaveAgent(sys, plan);
  stage("set hostname");
  setNames(sys, plan);
  stage("bring up loopback");
  if ((plan.cloned & CLONE_NEWNET) !== 0) bringUpLoopback(sys);
  mountAll(sys, { plan, places }, stage);
  stage("pivot_root");
  pivotRoot(sys, places.root);
  stage("set kernel parameters");
  setSysctls(sys, plan);
  if (!plan.spec.privileged) {
    stage("protect /proc and /sys");
    protectKernelPaths(sys, places.kernelPaths);
  }
  stage("make the root read-only");
  if (plan.spec.rootfs.readOnly) {
    sys.mount({ source: "", target: "/", flags: MS_REMOUNT | MS_BIND | MS_RDONLY });
  }
}

/** Not dumpable, the agent's memory and program stay out of reach of the container's processes (CVE-2019-5736). */
function leaveAgent(sys: Syscalls, { unshared }: ContainerPlan): void {
  sys.prctl(PR_SET_DUMPABLE, 0);
  if (unshared !== 0) sys.unshare(unshared);
  sys.mount({ source: "", target: "/", flags: MS_PRIVATE | MS_REC });
  sys.umask(0);
}

function setNames(sys: Syscalls, { spec, cloned }: ContainerPlan): void {
  if ((cloned & CLONE_NEWUTS) === 0) return;
  sys.sethostname(spec.hostname);
  if (spec.domainname !== "") sys.setdomainname(spec.domainname);
}

function bringUpLoopback(sys: Syscalls): void {
  const socket = sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const request = new Uint8Array(IFREQ.size);
  request.set(encodeText("lo"), IFREQ.fields.ifr_name.offset);
  sys.ioctlBuffer(socket, SIOCGIFFLAGS, request);
  const view = new DataView(request.buffer);
  const { offset } = IFREQ.fields.ifr_flags;
  view.setUint16(offset, view.getUint16(offset, true) | IFF_UP, true);
  sys.ioctlBuffer(socket, SIOCSIFFLAGS, request);
  sys.close(socket);
}

function mountAll(sys: Syscalls, { plan, places }: ContainerBirth, stage: Stage): void {
  // A mount that the namespace began with is locked in its place: pivot_root(2) wants one made since.
  if (isMapped(plan)) {
    sys.mount({ source: places.root, target: places.root, flags: MS_BIND | MS_REC });
  }
  const root = { path: places.root, fd: openRoot(sys, places.root) };
  for (const mount of plan.views) {
    stage(`mount ${mount.destination}`);
    mountView(sys, root, mount);
  }
  stage("make devices");
  makeDevices(sys, `${places.root}/dev`);
  makeGivenDevices(sys, `${places.root}/dev`, places.devices);
  // From here to the terminals the paths lead through what was mounted just now: no image can misdirect them.
  for (const { source, destination, type = "", flags, data } of plan.inner) {
    stage(`mount ${destination}`);
    const target = `${places.root}${destination}`;
    if (destination.startsWith("/dev/")) sys.mkdir(target, 0o755);
    const shared = destination === "/dev/shm" ? places.shm : undefined;
    if (shared === undefined) sys.mount({ source, target, type, flags, data });
    else sys.mount({ source: shared, target, flags: MS_BIND });
  }
  stage("mount terminals");
  mountTerminals(sys, places);
  for (const mount of askedFor(plan, places)) {
    stage(`mount ${mount.destination}`);
    mountInside(sys, root, mount);
  }
}

/** The container's terminals, and the one among them that is its console. */
function mountTerminals(sys: Syscalls, { root, pts, console }: ContainerPlaces): void {
  sys.mkdir(`${root}/dev/pts`, 0o755);
  sys.mount({ source: pts, target: `${root}/dev/pts`, flags: MS_BIND });
  if (console === undefined) return;
  writeNewText(sys, `${root}/dev/console`, "");
  sys.mount({ source: `${pts}/${console}`, target: `${root}/dev/console`, flags: MS_BIND });
}

/**
 * The user's mounts and the agent's files, outer before inner; the user's outweigh the agent's. The files are as
 * read-only as the root (moby container/container_unix.go NetworkMounts).
 */
function askedFor(
  { mounts, spec }: ContainerPlan,
  { files }: ContainerPlaces,
): (PlannedMount & { kind?: Kind })[] {
  const own = Object.entries(files).filter(
    ([path]) => !mounts.some(({ destination }) => destination === path),
  );
  const flags = MS_BIND | (spec.rootfs.readOnly ? MS_RDONLY : 0);
  const all = [
    ...own.map(([path, source]) => ({ ...bindMount(path, source), flags, kind: "file" as const })),
    ...mounts,
  ];
  const depth = ({ destination }: PlannedMount): number => destination.split("/").length;
  return all.sort((a, b) => depth(a) - depth(b));
}

/** In the fresh /dev, where nothing of the image is left to mislead. */
function makeDevices(sys: Syscalls, dev: string): void {
  for (const { name, major, minor } of DEFAULT_DEVICES) {
    sys.mknod(`${dev}/${name}`, S_IFCHR | 0o666, makedev(major, minor));
  }
  for (const [name, target] of DEVICE_LINKS) sys.symlink(target, `${dev}/${name}`);
}

/** pivot_root(2), "pivot_root(".", ".")": the old root lies under the new one until it is taken away. */
function pivotRoot(sys: Syscalls, root: string): void {
  sys.chdir(root);
  sys.pivot_root(".", ".");
  sys.umount2(".", MNT_DETACH);
  sys.chdir("/");
}

function setSysctls(sys: Syscalls, plan: ContainerPlan): void {
  for (const { path, value, optional } of plan.sysctls) {
    try {
      if (isMapped(plan)) writeMappedSysctl(sys, path, value);
      else writeSetting(sys, path, value);
    } catch (error) {
      if (!isSyscallError(error)) throw error;
      if (!optional) throw refusedSysctl({ path, value }, error);
    }
  }
}

/** What the kernel has against a parameter of the user's, where that is what the user got wrong. */
function refusedSysctl(
  { path, value }: { readonly path: string; readonly value: string },
  error: SyscallError,
): Error {
  const name = path.replace("/proc/sys/", "");
  if (error.code === "ENOENT") {
    return containerError("CONTAINER_SPEC", `the guest's kernel has no parameter ${name}`);
  }
  const cut = JSON.stringify(value.slice(0, 80));
  if (["EINVAL", "ERANGE"].includes(error.code)) {
    return containerError("CONTAINER_SPEC", `kernel parameter ${name} cannot be ${cut}`);
  }
  return error;
}

/** Linux 6.1 lets the guest's root write those of an IPC namespace, later ones the namespace's. */
function writeMappedSysctl(sys: Syscalls, path: string, value: string): void {
  try {
    writeSetting(sys, path, value);
  } catch (error) {
    if (!isSyscallError(error, "EACCES", "EPERM")) throw error;
    asGuestRoot(sys, () => writeSetting(sys, path, value));
  }
}

function protectKernelPaths(sys: Syscalls, { readOnly, masked }: KernelPaths): void {
  for (const path of readOnly) unlessCovered(() => bindReadOnly(sys, path));
  for (const path of masked) unlessCovered(() => mask(sys, path));
}

function bindReadOnly(sys: Syscalls, path: string): void {
  sys.mount({ source: path, target: path, flags: MS_BIND | MS_REC });
  // A remount sets all flags anew: those of /proc itself must be named again.
  const flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  sys.mount({ source: "", target: path, flags });
}

/** A file gives way to /dev/null, a folder to an empty one. */
function mask(sys: Syscalls, path: string): void {
  try {
    sys.mount({ source: "/dev/null", target: path, flags: MS_BIND });
  } catch (error) {
    if (!isSyscallError(error, "ENOTDIR")) throw error;
    sys.mount({ source: "tmpfs", target: path, type: "tmpfs", flags: MS_RDONLY, data: "size=0k" });
  }
}

/** A mount of the user's over /sys hides what would be protected there. */
function unlessCovered(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!isSyscallError(error, "ENOENT")) throw error;
  }
}
