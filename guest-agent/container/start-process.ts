/** How a container's processes come to be: its first one in new namespaces, further ones in the same. */

import { F_DUPFD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../linux/fcntl.ts";
import { MS_PRIVATE, MS_REC } from "../linux/mount.ts";
import { PR_SET_DUMPABLE } from "../linux/prctl.ts";
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER } from "../linux/sched.ts";
import { SIGNALS } from "../linux/signal.ts";
import type { FileTask, ProcessSpec } from "../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { becomeContainer, type ContainerPlaces } from "./become-container.ts";
import { becomeProcess, setLimits } from "./become-process.ts";
import type { Cgroup } from "./cgroup.ts";
import { splitOffInit } from "./container-init.ts";
import { type ContainerPlan, isMapped } from "./container-plan.ts";
import { readText } from "./file-access.ts";
import { type FilePlaces, runFileTask } from "./files/file-task.ts";
import { openRoot } from "./inside-root.ts";
import { mountInside, type PlannedMount } from "./mount-inside.ts";
import type { ProcessPlan } from "./process-plan.ts";
import { openReport, reportFailure, type Stage } from "./report.ts";
import { type AgentStdio, openStdio, type Stdio } from "./stdio.ts";
import { becomeNamespaceRoot, MAPPED_ROOT, takeMappedIds, writeIdMaps } from "./user-namespace.ts";

/** Standard input, output and error. */
const STANDARD_FDS = 3;
/** A descriptor that none of the agent's reaches. */
const FIRST_FREE = 200;

/** A child on its way to become a container's process. The agent closes the descriptors. */
export interface StartedProcess extends AgentStdio {
  /** as the agent sees it */
  readonly pid: number;
  /** ends when the child became the process, or holds the reason why not; see `readReport` */
  readonly report: Fd;
}

/** A namespace of another container: its `CLONE_NEW*`, and a process that is in it. */
export interface JoinedNamespace {
  readonly flag: number;
  readonly pid: number;
}

/** Where a container lives. */
export interface ContainerHome {
  readonly plan: ContainerPlan;
  readonly cgroup: Cgroup;
  readonly places: Omit<ContainerPlaces, "console">;
}

/**
 * Starts the container's first process.
 *
 * @param joined namespaces that it has of others, which have to live until it is started
 */
export function startFirst(
  sys: Syscalls,
  home: ContainerHome,
  { process, joined = [] }: { process: ProcessPlan; joined?: readonly JoinedNamespace[] },
): StartedProcess {
  const { plan, cgroup, places } = home;
  if (isMapped(plan)) return startMapped(sys, home, process);
  const inPid = joined.find(({ flag }) => flag === CLONE_NEWPID)?.pid;
  // by descriptor: in another PID namespace the child would know the processes by other numbers
  const others = joined.filter(({ flag }) => flag !== CLONE_NEWPID);
  const donors = others.map(({ flag, pid }) => ({ flag, fd: sys.pidfd_open(pid) }));
  try {
    return startChild(
      sys,
      { process, places, plan },
      {
        birth: () => inPidNamespaceOf(sys, inPid, () => cloneInto(sys, plan.cloned, cgroup.open())),
        life: (stdio, stage) => {
          stage("join the other container");
          if (donors.length > 0) sys.prctl(PR_SET_DUMPABLE, 0);
          for (const { flag, fd } of donors) sys.setns(fd, flag);
          const console = stdio.child.terminal;
          becomeContainer(sys, { plan, places: { ...places, console } }, stage);
          if (plan.spec.init) splitOffInit(sys);
          return becomeProcess(sys, { plan: process, stdio: stdio.child }, stage);
        },
      },
    );
  } finally {
    for (const { fd } of donors) sys.close(fd);
  }
}

/**
 * The same with a user namespace. The process is born in it and has no privilege to make its surroundings: it waits
 * while a helper does, which is in all the other namespaces and has the agent's privileges. No program of the
 * container's runs before the helper is done.
 */
function startMapped(sys: Syscalls, home: ContainerHome, process: ProcessPlan): StartedProcess {
  const { plan, cgroup, places } = home;
  const gate = sys.pipe2(O_CLOEXEC);
  try {
    return startChild(
      sys,
      { process, places, plan },
      {
        birth: () => cloneInto(sys, plan.cloned, cgroup.open()),
        life: (stdio, stage) => {
          sys.close(gate.writer);
          awaitHelper(sys, gate.reader, plan);
          if (plan.spec.init) splitOffInit(sys);
          return becomeProcess(sys, { plan: process, stdio: stdio.child, mapped: true }, stage);
        },
        surround: (first, report, stdio) => {
          writeIdMaps(sys, first);
          setLimits(sys, process, first);
          const console = stdio.child.terminal;
          startHelper(sys, { ...home, places: { ...places, console } }, { first, report, gate });
        },
      },
    );
  } finally {
    sys.close(gate.reader);
    sys.close(gate.writer);
  }
}

/** A helper that fails has told why, and ends the pipe without a word. */
function awaitHelper(sys: Syscalls, gate: Fd, { unshared }: ContainerPlan): void {
  sys.prctl(PR_SET_DUMPABLE, 0);
  if (unshared !== 0) sys.unshare(unshared);
  if (sys.read(gate, new Uint8Array(1)) === 0) sys.exit(1);
  becomeNamespaceRoot(sys);
  sys.chdir("/");
}

function startHelper(
  sys: Syscalls,
  { plan, cgroup, places }: ContainerHome & { readonly places: ContainerPlaces },
  {
    first,
    report,
    gate,
  }: { readonly first: number; readonly report: Fd; readonly gate: { readonly writer: Fd } },
): void {
  const container = sys.pidfd_open(first);
  try {
    const pid = inPidNamespaceOf(sys, ownPid(plan, first), () => cloneInto(sys, 0, cgroup.open()));
    if (pid !== 0) return;
    reportFailure(sys, report, (stage) => {
      stage("join the container");
      sys.prctl(PR_SET_DUMPABLE, 0);
      sys.setns(container, plan.cloned & ~(CLONE_NEWUSER | CLONE_NEWPID));
      takeMappedIds(sys);
      becomeContainer(sys, { plan, places }, stage);
      sys.write(gate.writer, Uint8Array.of(1));
      return sys.exit(0);
    });
  } finally {
    sys.close(container);
  }
}

/** Starts a further process; `first` is the number of the container's first one. */
export function startFurther(
  sys: Syscalls,
  { plan, cgroup, places }: ContainerHome,
  { process, first }: { readonly process: ProcessPlan; readonly first: number },
): StartedProcess {
  const container = sys.pidfd_open(first);
  try {
    return startChild(
      sys,
      { process, places, plan },
      {
        birth: () =>
          inPidNamespaceOf(sys, ownPid(plan, first), () =>
            cloneInto(sys, 0, openJoinable(sys, cgroup, first)),
          ),
        life: (stdio, stage) => {
          const mapped = isMapped(plan);
          stage("set limits");
          if (mapped) setLimits(sys, process);
          stage("join the container");
          sys.prctl(PR_SET_DUMPABLE, 0);
          sys.setns(container, (plan.cloned | plan.joined | plan.unshared) & ~CLONE_NEWPID);
          if (mapped) becomeNamespaceRoot(sys);
          const birth = { plan: process, stdio: stdio.child, mapped, isFurther: true };
          return becomeProcess(sys, birth, stage);
        },
      },
    );
  } finally {
    sys.close(container);
  }
}

/** Starts work on the container's files: a child of the agent, outside of the container. */
export function startFileTask(
  sys: Syscalls,
  files: FilePlaces,
  { task, stdio }: { readonly task: FileTask; readonly stdio: ProcessSpec["stdio"] },
): StartedProcess {
  const streams = openStdio(sys, { stdio }, "");
  const report = openReport(sys);
  try {
    const pid = sys.fork();
    if (pid === 0) becomeFileTask(sys, { fds: streams.child.fds, task, files });
    sys.close(report.writer);
    streams.closeChild();
    return { pid, report: report.reader, ...streams.agent };
  } catch (error) {
    streams.closeAll();
    sys.close(report.reader);
    sys.close(report.writer);
    throw error;
  }
}

/** Whatever happens, the child must not carry on as a second agent. */
function becomeFileTask(
  sys: Syscalls,
  options: { readonly fds: readonly Fd[]; readonly task: FileTask; readonly files: FilePlaces },
): never {
  try {
    // above the standard ones first, which they may be among
    const moved = options.fds.map((fd) => sys.fcntl(fd, F_DUPFD, FIRST_FREE));
    for (const [target, fd] of moved.entries()) sys.dup3(fd, target, 0);
    joinForFiles(sys, options);
    // with the rest ends the report: the task has begun
    sys.close_range(STANDARD_FDS, 0xffff_ffff, 0);
    sys.sigprocmask([]);
    return runFileTask(sys, options.task, options.files);
  } finally {
    sys.exit(1);
  }
}

/** What works on the layers below the root works outside: there the owners are the image's own. */
function joinForFiles(
  sys: Syscalls,
  { task, files }: { readonly task: FileTask; readonly files: FilePlaces },
): void {
  if (files.mounts !== undefined) mountForFiles(sys, files.root, files.mounts);
  if (files.userNamespace === undefined || task.kind === "layer" || task.kind === "changes") return;
  sys.setns(files.userNamespace, CLONE_NEWUSER);
  becomeNamespaceRoot(sys);
}

/** In a mount namespace of the task's own, which takes them away when it ends. */
function mountForFiles(sys: Syscalls, path: string, mounts: readonly PlannedMount[]): void {
  if (mounts.length === 0) return;
  sys.unshare(CLONE_NEWNS);
  sys.mount({ source: "", target: "/", flags: MS_PRIVATE | MS_REC });
  const root = { path, fd: openRoot(sys, path) };
  const depth = ({ destination }: PlannedMount): number => destination.split("/").length;
  const outerFirst = [...mounts].sort((a, b) => depth(a) - depth(b));
  for (const mount of outerFirst) mountInside(sys, root, mount);
}

interface Child {
  /** Makes the child. @returns its number, 0 in the child */
  birth(): number;
  /** What the child does. */
  life(stdio: Stdio, stage: Stage): never;
  /** What the agent does for it then; the child is killed when that fails. */
  surround?(pid: number, report: Fd, stdio: Stdio): void;
}

function startChild(
  sys: Syscalls,
  {
    process,
    places,
    plan,
  }: { readonly process: ProcessPlan } & Pick<ContainerHome, "places" | "plan">,
  child: Child,
): StartedProcess {
  const stdio = openStdio(sys, process.spec, places.pts);
  const report = openReport(sys);
  try {
    if (isMapped(plan)) giveToMappedRoot(sys, stdio);
    const pid = child.birth();
    if (pid === 0) reportFailure(sys, report.writer, (stage) => child.life(stdio, stage));
    orKill(sys, pid, () => child.surround?.(pid, report.writer, stdio));
    sys.close(report.writer);
    stdio.closeChild();
    return { pid, report: report.reader, ...stdio.agent };
  } catch (error) {
    stdio.closeAll();
    sys.close(report.reader);
    sys.close(report.writer);
    throw error;
  }
}

/** From inside, the process could not give itself what is the guest's root's. A terminal's group is right already. */
function giveToMappedRoot(sys: Syscalls, { child }: Stdio): void {
  for (const [index, fd] of child.fds.entries())
    if (child.owned[index] === true)
      sys.fchown(fd, MAPPED_ROOT, child.terminal === undefined ? MAPPED_ROOT : -1);
}

function orKill(sys: Syscalls, pid: number, step: () => void): void {
  try {
    step();
  } catch (error) {
    sys.kill(pid, SIGNALS.SIGKILL);
    throw error;
  }
}

function cloneInto(sys: Syscalls, flags: number, cgroup: Fd): number {
  try {
    return sys.clone({ flags, cgroup });
  } finally {
    sys.close(cgroup);
  }
}

/** The container's first process, where that is in another PID namespace than the agent. */
function ownPid({ cloned, joined }: ContainerPlan, first: number): number | undefined {
  return ((cloned | joined) & CLONE_NEWPID) === 0 ? undefined : first;
}

/**
 * A process's own PID namespace never changes, its children's may: the agent steps over for one clone. Its child then
 * is the agent's own, to be reaped by it, though it is born inside.
 */
function inPidNamespaceOf(sys: Syscalls, first: number | undefined, birth: () => number): number {
  if (first === undefined) return birth();
  const own = sys.open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  let pid: number | undefined;
  try {
    const theirs = sys.open(`/proc/${first}/ns/pid`, O_RDONLY | O_CLOEXEC);
    sys.setns(theirs, CLONE_NEWPID);
    sys.close(theirs);
    pid = birth();
    return pid;
  } finally {
    if (pid !== 0) sys.setns(own, CLONE_NEWPID);
    sys.close(own);
  }
}

/** The container's group; where the container divided it among groups of its own, that of its first process. */
function openJoinable(sys: Syscalls, cgroup: Cgroup, first: number): Fd {
  if (cgroup.text("cgroup.subtree_control").trim() === "") return cgroup.open();
  const line = readText(sys, `/proc/${first}/cgroup`)
    .split("\n")
    .find((each) => each.startsWith("0::"));
  const below = line?.slice(line.indexOf(cgroup.name) + cgroup.name.length) ?? "";
  try {
    return sys.open(`${cgroup.path}${below}`, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return cgroup.open();
    throw error;
  }
}
