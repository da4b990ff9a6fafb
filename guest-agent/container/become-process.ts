/** The last steps of a child inside its container: give up what the specification does not grant, then execve(2). */

import { CLOSE_RANGE_CLOEXEC } from "../linux/close_range.ts";
import { F_DUPFD_CLOEXEC } from "../linux/fcntl.ts";
import { PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS } from "../linux/prctl.ts";
import { TIOCSCTTY } from "../linux/tty.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { MAX_ACCOUNT_FILE } from "./account-files.ts";
import { missingFrom, type ProcessCapabilities, processCapabilities } from "./capabilities.ts";
import { environment } from "./environment.ts";
import { containerError } from "./errors.ts";
import { executionError, findExecutable } from "./executable.ts";
import { readTextIfAny, writeSetting } from "./file-access.ts";
import { ensureInside, openRoot } from "./inside-root.ts";
import type { ProcessPlan } from "./process-plan.ts";
import type { Stage } from "./report.ts";
import type { ChildStdio } from "./stdio.ts";
import { type Identity, resolveUser } from "./user.ts";
import { checkMapped } from "./user-namespace.ts";

/** close_range(2)'s last descriptor */
const LAST_FD = 0xffff_ffff;

export interface ProcessBirth {
  readonly plan: ProcessPlan;
  readonly stdio: ChildStdio;
  /** whether it is in a user namespace of its own: its limits are set already, for want of the privilege to raise them */
  readonly mapped?: boolean;
  /** whether a missing working directory is refused: Docker makes the first process's alone */
  readonly isFurther?: boolean;
}

/**
 * Turns the calling process into the container's; called in the container's root with the agent's privileges.
 */
export function becomeProcess(
  sys: Syscalls,
  { plan, stdio, mapped = false, isFurther = false }: ProcessBirth,
  stage: Stage,
): never {
  stage("set limits");
  if (!mapped) setLimits(sys, plan);
  sys.umask(0o022);
  stage("look up user");
  const identity = lookUpUser(sys, plan);
  if (mapped) checkMapped(identity);
  stage("connect standard streams");
  connectStdio(sys, { plan, stdio }, identity);
  stage(`change directory to ${plan.cwd}`);
  enterWorkingDirectory(sys, plan.cwd, isFurther);
  stage("set credentials");
  const capabilities = processCapabilities(plan.capabilities, identity.uid);
  setCredentials(sys, identity, capabilities);
  stage("find executable");
  const env = environment({
    given: plan.spec.env,
    hostname: plan.hostname,
    home: identity.home,
    terminal: plan.spec.terminal !== undefined,
  });
  const path = findExecutable(sys, { command: plan.spec.args[0] ?? "", env, identity });
  stage("restrict privileges");
  restrictPrivileges(sys, plan, capabilities);
  stage("execute");
  return execute(sys, { path, args: plan.spec.args, env });
}

/** Limits the process, or another one by its number; only the guest's root may raise them. */
export function setLimits(sys: Syscalls, { spec, limits }: ProcessPlan, pid = 0): void {
  if (spec.oomScoreAdj !== undefined)
    writeSetting(sys, `/proc/${pid || "self"}/oom_score_adj`, String(spec.oomScoreAdj));
  for (const { resource, limit } of limits) sys.prlimit64(pid, resource, limit);
}

function lookUpUser(sys: Syscalls, { spec }: ProcessPlan): Identity {
  return resolveUser({
    user: spec.user,
    additionalGroups: spec.additionalGroups,
    passwd: accountFile(sys, "/etc/passwd"),
    group: accountFile(sys, "/etc/group"),
  });
}

/** An account file that cannot be read as one is as good as none; a name is then refused as unknown. */
function accountFile(sys: Syscalls, path: string): string {
  try {
    return readTextIfAny(sys, path, MAX_ACCOUNT_FILE) ?? "";
  } catch (error) {
    if (isSyscallError(error)) return "";
    throw error;
  }
}

/** The streams become the user's, who may open them again by way of /dev/stdout. */
function connectStdio(sys: Syscalls, { plan, stdio }: ProcessBirth, identity: Identity): void {
  // What lies at 0 to 2 moves out of the way before those are replaced one by one.
  const sources = stdio.fds.map((fd) => (fd > 2 ? fd : sys.fcntl(fd, F_DUPFD_CLOEXEC, 3)));
  for (const [target, fd] of sources.entries()) {
    sys.dup3(fd, target, 0);
    if (stdio.owned[target] === true && identity.uid !== 0) sys.fchown(fd, identity.uid, -1);
  }
  sys.setsid();
  if (plan.spec.terminal !== undefined) sys.ioctl(0, TIOCSCTTY, 0);
}

/** What is wrong with a working directory, in runc's words. */
const CHDIR_FAILURES: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such file or directory"],
  ["ENOTDIR", "not a directory"],
  ["EACCES", "permission denied"],
]);

/** Made when missing, as Docker does, and as root's; for a further process it has to be there. */
function enterWorkingDirectory(sys: Syscalls, cwd: string, isFurther: boolean): void {
  try {
    sys.chdir(cwd);
  } catch (error) {
    const why = isSyscallError(error) ? CHDIR_FAILURES.get(error.code) : undefined;
    if (why === undefined) throw error;
    if (isFurther) {
      throw containerError(
        "COMMAND_NOT_EXECUTABLE",
        `chdir to cwd ("${cwd}") set in config.json failed: ${why}`,
      );
    }
    if (!isSyscallError(error, "ENOENT")) throw error;
    const root = openRoot(sys, "/");
    sys.fchdir(ensureInside(sys, root, cwd, "folder"));
    sys.close(root);
  }
}

/**
 * Takes the user's identity; all capabilities stay permitted and effective until `restrictPrivileges`, which needs
 * CAP_SYS_ADMIN to load a filter without no_new_privs.
 */
function setCredentials(
  sys: Syscalls,
  identity: Identity,
  { bounding }: ProcessCapabilities,
): void {
  for (const capability of missingFrom(bounding)) sys.prctl(PR_CAPBSET_DROP, capability);
  sys.prctl(PR_SET_KEEPCAPS, 1);
  sys.setgroups(identity.groups);
  sys.setresgid(identity.gid, identity.gid, identity.gid);
  sys.setresuid(identity.uid, identity.uid, identity.uid);
  if (identity.uid !== 0) {
    const { permitted } = sys.capget();
    sys.capset({ effective: permitted, permitted, inheritable: 0n });
  }
}

/** The filter goes first where it may: under no_new_privs it needs no privilege, and then it can forbid capset. */
function restrictPrivileges(
  sys: Syscalls,
  { spec, filter }: ProcessPlan,
  { effective, permitted, inheritable }: ProcessCapabilities,
): void {
  sys.close_range(3, LAST_FD, CLOSE_RANGE_CLOEXEC);
  sys.sigprocmask([]);
  const held = { effective, permitted, inheritable };
  if (spec.noNewPrivileges) {
    sys.prctl(PR_SET_NO_NEW_PRIVS, 1);
    sys.capset(held);
    if (filter !== undefined) sys.seccomp(filter.flags, filter.program);
  } else {
    if (filter !== undefined) sys.seccomp(filter.flags, filter.program);
    sys.capset(held);
  }
}

function execute(
  sys: Syscalls,
  {
    path,
    args,
    env,
  }: { readonly path: string; readonly args: readonly string[]; readonly env: readonly string[] },
): never {
  try {
    return sys.execve(path, args, env);
  } catch (error) {
    if (isSyscallError(error)) throw executionError(path, error.code);
    throw error;
  }
}
