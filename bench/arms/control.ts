/** Proof that an arm ran where it says: what a container of it sees, beside what the host is. */

import { readFile, readlink } from "node:fs/promises";
import { release } from "node:os";
import { benchError } from "../errors.ts";
import { spawned } from "../measure/spawned.ts";
import type { Arm, OpenArm } from "./arm.ts";

/** What the container said. */
export interface Control {
  readonly kernel: string;
  /** /proc/sys/kernel/random/boot_id: one value for each time that a kernel was booted */
  readonly bootId: string;
  /** last line of /proc/self/cgroup */
  readonly cgroup: string;
  /** name of its PID namespace */
  readonly pidNamespace: string;
}

const SCRIPT = `uname -r
cat /proc/sys/kernel/random/boot_id
tail -n 1 /proc/self/cgroup
readlink /proc/self/ns/pid`;

/** @throws DvmError `CONTROL_FAILED` for an arm that is not what it says */
export async function runControl(arm: Arm, open: OpenArm, name: string): Promise<Control> {
  const { stdout } = await spawned(await open.run({ name, words: ["sh", "-c", SCRIPT] }));
  const [kernel = "", bootId = "", cgroup = "", pidNamespace = ""] = stdout.trim().split("\n");
  const control = { kernel, bootId, cgroup, pidNamespace };
  const host = {
    kernel: release(),
    bootId: (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim(),
    pidNamespace: await readlink("/proc/self/ns/pid"),
  };
  const reason = contradiction(arm.isolation, control, host);
  if (reason !== undefined) throw benchError("CONTROL_FAILED", `${arm.name}: ${reason}`);
  return control;
}

/** Why what the container saw cannot be so; undefined when it can. */
export function contradiction(
  isolation: Arm["isolation"],
  seen: Control,
  host: Pick<Control, "kernel" | "bootId" | "pidNamespace">,
): string | undefined {
  if (!/^[0-9a-f-]{36}$/.test(seen.bootId))
    return `its boot id reads ${JSON.stringify(seen.bootId)}`;
  if (isolation === "vm") {
    return seen.bootId === host.bootId ? "it ran on the host's kernel, not in a VM" : undefined;
  }
  if (seen.bootId !== host.bootId || seen.kernel !== host.kernel)
    return `it ran on another kernel, ${seen.kernel}, not on the host's`;
  return seen.pidNamespace === host.pidNamespace ? "it ran in the host's PID namespace" : undefined;
}
