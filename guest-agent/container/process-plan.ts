/** All that can be decided about a process before there is one: what the specification asks for, checked. */

import type { ProcessSpec } from "../protocol/container-spec.ts";
import type { ResourceLimit } from "../syscalls/syscalls.ts";
import { boundingSet, type CapabilityName } from "./capabilities.ts";
import { containerError } from "./errors.ts";
import { cleanPath } from "./inside-root.ts";
import { resourceLimit } from "./resources.ts";
import type { Filter, Filters } from "./seccomp/filters.ts";

export interface ProcessPlan {
  readonly spec: ProcessSpec;
  /** absolute working directory */
  readonly cwd: string;
  readonly hostname: string;
  readonly capabilities: ReadonlySet<CapabilityName>;
  /** absent: no filter */
  readonly filter: Filter | undefined;
  readonly limits: readonly { readonly resource: number; readonly limit: ResourceLimit }[];
}

/** @throws ContainerError for what the specification should not ask for */
export function planProcess(spec: ProcessSpec, hostname: string, filters: Filters): ProcessPlan {
  if (spec.args.length === 0) throw containerError("CONTAINER_SPEC", "no command specified");
  for (const text of [...spec.args, ...spec.env, spec.cwd]) {
    if (text.includes("\0")) {
      throw containerError(
        "CONTAINER_SPEC",
        `NUL in a process's settings: ${JSON.stringify(text.slice(0, 80))}`,
      );
    }
  }
  if (spec.cwd !== "" && !spec.cwd.startsWith("/")) {
    throw containerError(
      "CONTAINER_SPEC",
      `the working directory '${spec.cwd}' is invalid, it needs to be an absolute path`,
    );
  }
  const capabilities = boundingSet({
    add: spec.capAdd,
    drop: spec.capDrop,
    privileged: spec.privileged,
  });
  return {
    spec,
    cwd: cleanPath(spec.cwd),
    hostname,
    capabilities,
    filter: spec.privileged ? undefined : filters.get(spec.seccomp, capabilities),
    limits: [...DEFAULT_LIMITS, ...spec.rlimits].map(resourceLimit),
  };
}

/**
 * As of systemd's defaults and Docker's unit, which its containers inherit: room for select(2)'s users and for the
 * greedy, and as many processes as --pids-limit allows, where the kernel would count by the machine's memory.
 */
const DEFAULT_LIMITS = [
  { name: "nofile", soft: 1024, hard: 524_288 },
  { name: "nproc", soft: -1, hard: -1 },
];
