/** Why a VMM process ended, put together from its exit record, its signal and the guest's last words. */

import type { ConsoleLog } from "../console-log.ts";
import type { MachineExit } from "../hypervisor.ts";

const PANIC = "Kernel panic - not syncing: ";
/** signal of a thread that made a system call which its seccomp filter refuses */
const SIGSYS = "SIGSYS";

export interface VmmEnd {
  /** text of the exit record; empty when the process ended without one */
  readonly record: string;
  /** signal that ended the process; null, as the code is, when it was not our child */
  readonly signal: string | null;
  /** exit code of the process */
  readonly code: number | null;
  /** end of the VMM's own standard error */
  readonly log: string;
}

/** Decides; the guest's console counts for a panic only, which ends in a reset like an orderly reboot. */
export function machineExit(
  { record, signal, code, log }: VmmEnd,
  console: ConsoleLog,
): MachineExit {
  const { reason, message } = parseRecord(record);
  if (reason === "vmm-error") return { reason, message };
  if (reason === "watchdog" || reason === "poweroff") return { reason };
  if (reason === "reset" || reason === "triple-fault") {
    const panic = console.after(PANIC);
    if (panic !== undefined) return { reason: "panic", message: panic };
    return { reason: reason === "reset" ? "reboot" : "triple-fault" };
  }
  if (signal === SIGSYS) {
    return { reason: "vmm-error", message: "the VMM made a system call that its filter refuses" };
  }
  if (signal !== null) return { reason: "killed", signal };
  if (code === null) return { reason: "killed", signal: "SIGKILL" };
  const lines = log.trim().split("\n");
  const last = lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1); // Node says more after its errors
  return { reason: "vmm-error", message: `the VMM ended with code ${code}: ${last}` };
}

/** The record is ours, but the process that wrote it was exposed to the guest: nothing is taken for granted. */
function parseRecord(record: string): { readonly reason: unknown; readonly message: string } {
  try {
    const { reason, message = "" } = Object(JSON.parse(record));
    return { reason, message: String(message) };
  } catch {
    return { reason: undefined, message: "" };
  }
}
