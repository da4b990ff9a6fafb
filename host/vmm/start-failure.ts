/** Words for a start that failed: what, in which stage, the end of the guest's console, and what to do. */

import { VmmError } from "./errors.ts";
import type { Accelerator, MachineExit, MachineStage } from "./hypervisor.ts";
import type { StageError } from "./stage-clock.ts";

/** Lines of the guest's console that an error shows. */
const TAIL_LINES = 20;

export interface StartFailureOptions {
  readonly error: StageError;
  /** `Machine.id` */
  readonly id: string;
  readonly accelerator: Accelerator;
  /** `Machine.consoleTail` */
  readonly consoleTail: (lines: number) => string;
}

export function startFailure({
  error,
  id,
  accelerator,
  consoleTail,
}: StartFailureOptions): VmmError {
  const { stage, failure } = error;
  const tail = consoleTail(TAIL_LINES);
  const details = { stage, consoleTail: tail };
  const subject = `virtual machine ${id} did not start (stage ${stage})`;
  switch (failure.kind) {
    case "aborted":
      return new VmmError("VMM_ABORTED", `${subject}: aborted`, { stage, cause: failure.cause });
    case "timeout":
      return new VmmError(
        "VMM_STAGE_TIMEOUT",
        `${subject}: ${missing[stage]} within ${failure.milliseconds / 1000} s`,
        { ...details, hint: timeoutHint(stage, accelerator, tail) },
      );
    case "ended":
      return new VmmError("VMM_ENDED_EARLY", `${subject}: ${endOf(failure.exit)}`, {
        ...details,
        ...endHint(failure.exit, accelerator),
      });
    case "error":
      if (failure.cause instanceof VmmError) return failure.cause.inStage(stage, tail);
      throw failure.cause;
  }
}

const missing: Record<MachineStage, string> = {
  spawn: "no process",
  configure: "no answer of the VMM",
  boot: "the guest did not open the agent's port",
  agent: "the guest agent opened its port and said nothing",
};

function timeoutHint(stage: MachineStage, accelerator: Accelerator, tail: string): string {
  if (stage === "spawn" || stage === "configure") return "the host is very busy; try again";
  if (stage === "agent") return "the guest agent hangs; `npm run setup` rebuilds it";
  const slow = accelerator === "tcg" ? "; without KVM a busy host makes a boot slow" : "";
  return tail === ""
    ? `the guest kernel wrote nothing; without \`quiet\` on its command line it tells more${slow}`
    : `the guest hangs after what its console shows${slow}`;
}

function endOf(exit: MachineExit): string {
  switch (exit.reason) {
    case "panic":
      return `the guest kernel panicked: ${exit.message}`;
    case "vmm-error":
      return exit.message;
    case "killed":
      return `the VMM was ended by ${exit.signal}`;
    case "reboot":
    case "poweroff":
    case "triple-fault":
    case "watchdog":
      return `the guest ended (${exit.reason})`;
  }
}

function endHint(exit: MachineExit, accelerator: Accelerator): { hint?: string } {
  switch (exit.reason) {
    case "panic":
      return {
        hint: "kernel and initramfs may not fit together, or memory is too small: try `-m 256m`",
      };
    case "killed":
      return { hint: "the host may be out of memory: look into its kernel log" };
    case "vmm-error":
      return accelerator === "kvm" ? { hint: "try `--accel tcg`" } : {};
    case "reboot":
    case "poweroff":
    case "triple-fault":
    case "watchdog":
      return { hint: "memory may be too small for kernel and initramfs: try `-m 256m`" };
  }
}
