/** How a container's processes come to be: its first one in new namespaces, further ones in the same. */

import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../linux/fcntl.ts";
import { PR_SET_DUMPABLE } from "../linux/prctl.ts";
import { CLONE_NEWPID } from "../linux/sched.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { becomeContainer, type ContainerPlaces } from "./become-container.ts";
import { becomeProcess } from "./become-process.ts";
import type { Cgroup } from "./cgroup.ts";
import { splitOffInit } from "./container-init.ts";
import type { ContainerPlan } from "./container-plan.ts";
import { readText } from "./file-access.ts";
import type { ProcessPlan } from "./process-plan.ts";
import { openReport, reportFailure, type Stage } from "./report.ts";
import { type AgentStdio, openStdio, type Stdio } from "./stdio.ts";

/** A child on its way to become a container's process. The agent closes the descriptors. */
export interface StartedProcess extends AgentStdio {
  /** as the agent sees it */
  readonly pid: number;
  /** ends when the child became the process, or holds the reason why not; see `readReport` */
  readonly report: Fd;
}

/** Where a container lives. */
export interface ContainerHome {
  readonly plan: ContainerPlan;
  readonly cgroup: Cgroup;
  readonly places: Omit<ContainerPlaces, "console">;
}

/** Starts the container's first process. */
export function startFirst(
  sys: Syscalls,
  { plan, cgroup, places }: ContainerHome,
  process: ProcessPlan,
): StartedProcess {
  return startChild(
    sys,
    { process, pts: places.pts },
    {
      birth: () => cloneInto(sys, plan.cloned, cgroup.open()),
      life: (stdio, stage) => {
        becomeContainer(sys, { plan, places: { ...places, console: stdio.child.terminal } }, stage);
        if (plan.spec.init) splitOffInit(sys);
        return becomeProcess(sys, { plan: process, stdio: stdio.child }, stage);
      },
    },
  );
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
      { process, pts: places.pts },
      {
        birth: () =>
          inPidNamespaceOf(sys, { plan, first }, () =>
            cloneInto(sys, 0, openJoinable(sys, cgroup, first)),
          ),
        life: (stdio, stage) => {
          stage("join the container");
          sys.prctl(PR_SET_DUMPABLE, 0);
          sys.setns(container, (plan.cloned | plan.unshared) & ~CLONE_NEWPID);
          return becomeProcess(sys, { plan: process, stdio: stdio.child }, stage);
        },
      },
    );
  } finally {
    sys.close(container);
  }
}

interface Child {
  /** Makes the child. @returns its number, 0 in the child */
  birth(): number;
  /** What the child does. */
  life(stdio: Stdio, stage: Stage): never;
}

function startChild(
  sys: Syscalls,
  { process, pts }: { readonly process: ProcessPlan; readonly pts: string },
  child: Child,
): StartedProcess {
  const stdio = openStdio(sys, process.spec, pts);
  const report = openReport(sys);
  try {
    const pid = child.birth();
    if (pid === 0) reportFailure(sys, report.writer, (stage) => child.life(stdio, stage));
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

function cloneInto(sys: Syscalls, flags: number, cgroup: Fd): number {
  try {
    return sys.clone({ flags, cgroup });
  } finally {
    sys.close(cgroup);
  }
}

/**
 * A process's own PID namespace never changes, its children's may: the agent steps over for one clone. Its child then
 * is the agent's own, to be reaped by it, though it is born inside.
 */
function inPidNamespaceOf(
  sys: Syscalls,
  { plan, first }: { readonly plan: ContainerPlan; readonly first: number },
  birth: () => number,
): number {
  if ((plan.cloned & CLONE_NEWPID) === 0) return birth();
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
