/** A container's own user namespace: its root is a user of the guest that may do nothing there. */

import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../linux/fcntl.ts";
import {
  MOUNT_ATTR_IDMAP,
  MOVE_MOUNT_F_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../linux/mount.ts";
import { CLONE_NEWUSER } from "../linux/sched.ts";
import type { Fd, Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import { writeSetting } from "./file-access.ts";
import { openReport, readReport, reportFailure } from "./report.ts";
import type { Identity } from "./user.ts";

/** the guest's number of a mapped container's user 0 and group 0 */
export const MAPPED_ROOT = 100_000;
/** how many users and groups a mapped container has, from 0 on */
const MAPPED_IDS = 65_536;

/** Says which of the guest's users and groups those of the process's new user namespace are. */
export function writeIdMaps(sys: Syscalls, pid: number): void {
  const map = `0 ${MAPPED_ROOT} ${MAPPED_IDS}`;
  writeSetting(sys, `/proc/${pid}/uid_map`, map);
  writeSetting(sys, `/proc/${pid}/gid_map`, map);
}

/** @throws ContainerError `UNKNOWN_USER` for a user or group that a mapped container has not */
export function checkMapped({ uid, groups }: Pick<Identity, "uid" | "groups">): void {
  const unknown = [uid, ...groups].find((id) => id >= MAPPED_IDS);
  if (unknown === undefined) return;
  throw containerError(
    "UNKNOWN_USER",
    `uids and gids must be in range 0-${MAPPED_IDS - 1} in a private user namespace: ${unknown}`,
  );
}

/** Opens a user namespace with that mapping and no process in it, for mounts and for work on files. */
export function openUserNamespace(sys: Syscalls): Fd {
  const gate = sys.pipe2(O_CLOEXEC);
  let pid: number | undefined;
  try {
    pid = sys.clone({ flags: CLONE_NEWUSER });
    if (pid === 0) waitAndExit(sys, gate);
    writeIdMaps(sys, pid);
    return sys.open(`/proc/${pid}/ns/user`, O_RDONLY | O_CLOEXEC);
  } finally {
    sys.close(gate.writer);
    sys.close(gate.reader);
    if (pid !== undefined) sys.wait4(pid, 0);
  }
}

/** Ends with the other end of the pipe; whatever happens, the child must not carry on as a second agent. */
function waitAndExit(sys: Syscalls, gate: { readonly reader: Fd; readonly writer: Fd }): never {
  try {
    sys.close(gate.writer);
    sys.read(gate.reader, new Uint8Array(1));
  } finally {
    sys.exit(0);
  }
}

/** Mounts what is at `from` on the folder `to` once more, with its owners mapped as the namespace says. */
export function mountMapped(
  sys: Syscalls,
  { from, to, userNamespace }: { readonly from: string; readonly to: string; userNamespace: Fd },
): void {
  const tree = sys.open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  try {
    const attributes = { set: MOUNT_ATTR_IDMAP, userNamespace };
    sys.mount_setattr(tree, AT_EMPTY_PATH, attributes);
    sys.move_mount(tree, AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
  } finally {
    sys.close(tree);
  }
}

/**
 * Does `step` in a child that has the mapped root's numbers and the agent's privileges: an overlay makes its files with
 * those of who mounted it, and on a mapped layer there are no others (fs/overlayfs/super.c `creator_cred`, Linux 6.1).
 *
 * @throws ContainerError when the step fails
 */
export function asMappedRoot(sys: Syscalls, stage: string, step: () => void): void {
  const report = openReport(sys);
  let pid: number | undefined;
  try {
    pid = sys.fork();
    if (pid === 0) {
      reportFailure(sys, report.writer, (tell) => {
        tell(stage);
        takeMappedIds(sys);
        step();
        return sys.exit(0);
      });
    }
  } finally {
    sys.close(report.writer);
    const failure = pid === undefined ? undefined : readReport(sys, report.reader);
    sys.close(report.reader);
    if (pid !== undefined) sys.wait4(pid, 0);
    // biome-ignore lint/correctness/noUnsafeFinally: nothing else is thrown once there is a child
    if (failure !== undefined) throw failure;
  }
}

/** The mapped root's numbers, so that all that is made belongs to it, with every privilege in the guest kept. */
export function takeMappedIds(sys: Syscalls): void {
  const { permitted } = sys.capget();
  sys.setgroups([]);
  sys.setresgid(MAPPED_ROOT, MAPPED_ROOT, MAPPED_ROOT);
  // Permitted capabilities stay as long as one of the three numbers is 0 (capabilities(7)).
  sys.setresuid(MAPPED_ROOT, MAPPED_ROOT, 0);
  sys.capset({ effective: permitted, permitted, inheritable: 0n });
}

/** Does `step` as the guest's root, from within `takeMappedIds`. */
export function asGuestRoot(sys: Syscalls, step: () => void): void {
  sys.setresuid(MAPPED_ROOT, 0, 0);
  step();
  takeMappedIds(sys);
}

/** Becomes root of the user namespace that the process is in already, where it has no number so far. */
export function becomeNamespaceRoot(sys: Syscalls): void {
  sys.setgroups([]);
  sys.setresgid(0, 0, 0);
  sys.setresuid(0, 0, 0);
}
