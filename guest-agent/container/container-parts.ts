/** The parts of a container that does not run yet: mounts, files and a control group. */

import { MS_NOEXEC, MS_NOSUID } from "../linux/mount.ts";
import type { ContainerSpec } from "../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { ContainerPlaces } from "./become-container.ts";
import { Cgroup } from "./cgroup.ts";
import { type ContainerPlan, diskMounts, planContainer, shareMounts } from "./container-plan.ts";
import { devptsOptions, sharedMemoryOptions } from "./default-mounts.ts";
import { restrictDevices } from "./device-rules.ts";
import { givenDevices } from "./devices.ts";
import { type Disks, unmountIfAny } from "./disks.ts";
import { etcFiles } from "./etc-files.ts";
import { ensureFolder, writeNewText } from "./file-access.ts";
import type { FilePlaces } from "./files/file-task.ts";
import type { KernelPaths } from "./kernel-paths.ts";
import { parseMountOptions } from "./mount-options.ts";
import { prepareVolume } from "./prepare-volume.ts";
import { cgroupSettings } from "./resources.ts";
import { mountRoot } from "./root-filesystem.ts";
import { mountShares } from "./shares.ts";
import { swapTo } from "./swap.ts";
import { MAPPED_ROOT, mountMapped, openUserNamespace } from "./user-namespace.ts";

/** What containers share. */
export interface Machine {
  readonly sys: Syscalls;
  readonly disks: Disks;
  readonly kernelPaths: KernelPaths;
  /** Another container of the machine. @throws ContainerError `CONTAINER_STATE` */
  readonly other: (id: string) => Donor;
  /** where each container has a folder for its mounts, and where a control group */
  readonly folders: { readonly run: string; readonly cgroups: string };
}

/** What a container has for another one that joins it. */
export interface Donor {
  /** number of its first process. @throws ContainerError `CONTAINER_STATE` when none runs */
  readonly firstPid: number;
  readonly places: Pick<ContainerPlaces, "files" | "shm">;
}

/** What a container has from its creation to its removal. */
export interface Parts {
  readonly plan: ContainerPlan;
  readonly cgroup: Cgroup;
  readonly places: Omit<ContainerPlaces, "console">;
  readonly files: Omit<FilePlaces, "image"> & { image(): string };
}

/** Steps that take back what was done, last first. */
export class Undo {
  readonly #steps: (() => void)[] = [];

  push(step: () => void): void {
    this.#steps.push(step);
  }

  all(): void {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) step();
  }
}

/** What it makes it teaches `undo` to take back, so that a failure leaves nothing. */
export function assemble(
  { sys, disks, folders, kernelPaths, other, undo }: Machine & { readonly undo: Undo },
  id: string,
  spec: ContainerSpec,
): Parts {
  const settings = cgroupSettings(spec.resources);
  const contents = etcFiles(spec);
  const { network, ipc } = spec.joins ?? {};
  const networkOf = network === undefined ? undefined : other(network);
  const ipcOf = ipc === undefined ? undefined : other(ipc);
  const folder = `${folders.run}/${id}`;
  sys.mkdir(folder, 0o711);
  undo.push(() => removeFolder(sys, folder));
  const userNamespace = spec.namespaces.user === "private" ? openUserNamespace(sys) : undefined;
  if (userNamespace !== undefined) undo.push(() => sys.close(userNamespace));
  const diskPaths = new Map<string, string>();
  for (const serial of diskMounts(spec)) {
    if (diskPaths.has(serial)) continue;
    const readOnly = isReadOnly(spec, serial);
    const path = disks.acquire({ serial, type: "ext4", readOnly });
    undo.push(() => disks.release(serial));
    diskPaths.set(
      serial,
      userNamespace === undefined
        ? path
        : mapDisk(sys, { folder, from: path, serial, userNamespace }, undo),
    );
  }
  const sharePaths = mountShares(sys, { folder, names: shareMounts(spec) }, undo);
  const sources = { disk: diskPaths, virtiofs: sharePaths };
  const plan = planContainer(spec, (kind, name) => sources[kind].get(name) ?? "");
  const firstId = userNamespace === undefined ? 0 : MAPPED_ROOT;
  const { rootfs } = spec;
  const root = mountRoot(sys, disks, { folder, rootfs, shares: sharePaths, userNamespace });
  undo.push(() => root.unmount());
  for (const mount of spec.mounts) {
    if (mount.type !== "disk" && mount.type !== "virtiofs") continue;
    const volume = sources[mount.type].get(mount.source);
    if (volume !== undefined) prepareVolume(sys, { root: root.path, volume, mount });
  }
  const pts = mountTerminals(sys, { folder, firstId }, undo);
  const files = networkOf?.places.files ?? writeFiles(sys, { folder, firstId }, contents);
  const shm = spec.shareableIpc
    ? mountSharedMemory(sys, { folder, size: spec.shmSize }, undo)
    : ipcOf?.places.shm;
  const cgroup = Cgroup.create(sys, folders.cgroups, id);
  undo.push(() => cgroup.remove());
  cgroup.apply(settings);
  if (spec.swap !== undefined) swapTo(sys, disks, { swap: spec.swap, undo });
  const devices = givenDevices(sys, disks, spec);
  if (!spec.privileged) restrictDevices(sys, cgroup, devices.rules);
  return {
    plan,
    cgroup,
    places: { root: root.path, pts, shm, devices: devices.nodes, files, kernelPaths },
    files: {
      root: root.path,
      upper: root.upper,
      isWhole: root.isWhole,
      image: () => root.image(),
      userNamespace,
    },
  };
}

/** A disk that no mount may write on is one that the host lets nobody write on. */
function isReadOnly({ mounts }: ContainerSpec, serial: string): boolean {
  return mounts.every(
    ({ type, source, options }) => type !== "disk" || source !== serial || options.includes("ro"),
  );
}

/** The disk once more, with the owners on it as the container's users. @returns where it is mounted */
function mapDisk(
  sys: Syscalls,
  {
    folder,
    from,
    serial,
    userNamespace,
  }: {
    readonly folder: string;
    readonly from: string;
    readonly serial: string;
    readonly userNamespace: Fd;
  },
  undo: Undo,
): string {
  const to = `${folder}/disk-${serial}`;
  ensureFolder(sys, to);
  undo.push(() => sys.rmdir(to));
  mountMapped(sys, { from, to, userNamespace });
  undo.push(() => unmountIfAny(sys, to));
  return to;
}

/** The container's own devpts, made outside so that the agent can open terminals in it. */
function mountTerminals(
  sys: Syscalls,
  { folder, firstId }: { readonly folder: string; readonly firstId: number },
  undo: Undo,
): string {
  const target = `${folder}/pts`;
  ensureFolder(sys, target);
  const { flags, data } = parseMountOptions(devptsOptions(firstId));
  sys.mount({
    source: "devpts",
    target,
    type: "devpts",
    flags: flags & (MS_NOSUID | MS_NOEXEC),
    data,
  });
  undo.push(() => unmountIfAny(sys, target));
  return target;
}

/** The container's /dev/shm where others are to have it too. */
function mountSharedMemory(
  sys: Syscalls,
  { folder, size }: { readonly folder: string; readonly size: number },
  undo: Undo,
): string {
  const target = `${folder}/shm`;
  ensureFolder(sys, target);
  const { flags, data } = parseMountOptions(sharedMemoryOptions(size));
  sys.mount({ source: "shm", target, type: "tmpfs", flags, data });
  undo.push(() => unmountIfAny(sys, target));
  return target;
}

/** @returns where each file is by the path that it will have in the container */
function writeFiles(
  sys: Syscalls,
  { folder, firstId }: { readonly folder: string; readonly firstId: number },
  contents: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const [path, content] of Object.entries(contents)) {
    const file = `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`;
    writeNewText(sys, file, content);
    if (firstId !== 0) sys.chown(file, firstId, firstId);
    files[path] = file;
  }
  return files;
}

/** The container's folder with what it may hold once nothing is mounted there. */
function removeFolder(sys: Syscalls, folder: string): void {
  for (const name of ["hostname", "hosts", "resolv.conf"])
    ifThere(() => sys.unlink(`${folder}/${name}`));
  for (const name of ["pts", "shm", "root", "writable", "image"])
    ifThere(() => sys.rmdir(`${folder}/${name}`));
  sys.rmdir(folder);
}

function ifThere(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!isSyscallError(error, "ENOENT")) throw error;
  }
}
