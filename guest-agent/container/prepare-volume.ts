/** A volume before it is mounted: what an image has at its place becomes the content of an empty one. */

import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../linux/fcntl.ts";
import { S_IFDIR, S_IFMT } from "../linux/stat.ts";
import type { MountSpec } from "../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { type ContainerError, containerError } from "./errors.ts";
import { readTree, removeTree } from "./files/read-tree.ts";
import { joined, TreeWriter } from "./files/write-tree.ts";
import { cleanPath, ensureInside, openInside, openRoot, pathOf } from "./inside-root.ts";
import { openReport, readReport, reportFailure } from "./report.ts";

export interface VolumePlaces {
  /** where the container's root is mounted */
  readonly root: string;
  /** where the volume is mounted */
  readonly volume: string;
  readonly mount: MountSpec;
}

/** Makes what a disk has to have, and copies what the image has. @throws ContainerError naming the step that failed */
export function prepareVolume(sys: Syscalls, { root, volume, mount }: VolumePlaces): void {
  const { type, subpath = "/", copyUp, destination, options } = mount;
  const isMade = type === "disk" && subpath !== "/" && !options.includes("ro");
  if (!isMade && copyUp !== true) return;
  const volumeFd = openRoot(sys, volume);
  try {
    const path = cleanPath(subpath);
    const to = isMade
      ? ensureInside(sys, volumeFd, path, "folder")
      : openInside(sys, volumeFd, path);
    if (copyUp === true) copyUpInto(sys, { root, destination, to: pathOf(to) });
    sys.close(to);
  } finally {
    sys.close(volumeFd);
  }
}

/**
 * Content, owners, modes, links and file capabilities. Two processes and a pipe between them: the one that writes has
 * the volume as its root, so that links which others make there meanwhile lead nowhere else.
 */
function copyUpInto(
  sys: Syscalls,
  { root, destination, to }: { readonly root: string; destination: string; to: string },
): void {
  const from = openImageFolder(sys, root, cleanPath(destination));
  if (from === undefined) return;
  try {
    if (!isEmpty(sys, to)) return;
    const { mode, uid, gid } = sys.fstat(from);
    if (!isEmpty(sys, pathOf(from))) copy(sys, from, to);
    sys.chown(to, uid, gid);
    sys.chmod(to, mode & 0o7777);
  } finally {
    sys.close(from);
  }
}

/** The folder, or nothing where the image has none. */
function openImageFolder(sys: Syscalls, root: string, path: string): Fd | undefined {
  const rootFd = openRoot(sys, root);
  try {
    const fd = openInside(sys, rootFd, path);
    if ((sys.fstat(fd).mode & S_IFMT) === S_IFDIR) return fd;
    sys.close(fd);
    return undefined;
  } catch (error) {
    if (isSyscallError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  } finally {
    sys.close(rootFd);
  }
}

function isEmpty(sys: Syscalls, path: string): boolean {
  return entries(sys, path).length === 0;
}

function entries(sys: Syscalls, path: string): string[] {
  const fd = sys.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    return sys.getdents64(fd).map(({ name }) => name);
  } finally {
    sys.close(fd);
  }
}

function copy(sys: Syscalls, from: Fd, to: string): void {
  const pipe = sys.pipe2(O_CLOEXEC);
  const writer = inChild(sys, () => {
    sys.close(pipe.reader);
    const folder = pathOf(from);
    const tree = new TreeWriter(sys, pipe.writer);
    for (const name of entries(sys, folder)) tree.add(joined(folder, name), name);
    tree.finish();
  });
  const reader = inChild(sys, () => {
    sys.close(pipe.writer);
    sys.chroot(to);
    sys.chdir("/");
    readTree(sys, pipe.reader, { path: "/", noOverwriteDirNonDir: false });
  });
  sys.close(pipe.reader);
  sys.close(pipe.writer);
  const [failure] = [reader, writer].flatMap((child) => child.wait() ?? []);
  if (failure === undefined) return;
  // half of it is not what the next start should find
  inChild(sys, () => emptyFolder(sys, to)).wait();
  throw explained(failure);
}

function emptyFolder(sys: Syscalls, path: string): void {
  sys.chroot(path);
  sys.chdir("/");
  for (const name of entries(sys, "/")) removeTree(sys, `/${name}`, sys.lstat(`/${name}`));
}

/** A folder of a user of the host's holds files of the users alone that are that user's to give. */
function explained(failure: ContainerError): ContainerError {
  if (!/lchown .*: EINVAL$/.test(failure.message)) return failure;
  return containerError(
    "CONTAINER_SETUP",
    "the image has files of other users than root for the volume, and the host's user has no subordinate users (subuid(5)): make the volume a disk, by -o type=disk",
  );
}

/** Starts `step` in a child of the agent, which ends with it. */
function inChild(
  sys: Syscalls,
  step: () => void,
): { wait(): ReturnType<typeof readReport> | undefined } {
  const report = openReport(sys);
  const pid = sys.fork();
  if (pid === 0) {
    reportFailure(sys, report.writer, (tell) => {
      tell("copy what the image has into the volume");
      step();
      return sys.exit(0);
    });
  }
  sys.close(report.writer);
  return {
    wait: () => {
      const failure = readReport(sys, report.reader);
      sys.close(report.reader);
      sys.wait4(pid, 0);
      return failure;
    },
  };
}
