/** Tells why a machine is no more from all that was seen of its end. */

import type { ConsoleLog } from "../console-log.ts";
import type { MachineExit } from "../hypervisor.ts";
import type { ProcessEnd } from "./qemu-process.ts";

/** How Linux begins the line of a panic (kernel/panic.c). */
const PANIC = "Kernel panic - not syncing: ";

/** Signals by which a process is ended from outside; by all others it ends itself. */
const sentByOthers: ReadonlySet<NodeJS.Signals> = new Set([
  "SIGKILL",
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
]);

export interface EndOfMachine {
  /** undefined when the process was not our child */
  readonly process: ProcessEnd | undefined;
  /** `reason` of QMP's SHUTDOWN event (qapi/run-state.json, ShutdownCause); undefined when there was none */
  readonly shutdownReason: string | undefined;
  readonly console: ConsoleLog;
}

export function machineExit({ process, shutdownReason, console }: EndOfMachine): MachineExit {
  const { code, signal, stderr } = process ?? endOfStranger(shutdownReason);
  if (signal !== null && sentByOthers.has(signal)) return { reason: "killed", signal };
  if (code !== 0) {
    const how = signal === null ? `code ${code}` : `signal ${signal}`;
    return { reason: "vmm-error", message: `QEMU ended with ${how}${stderr && `: ${stderr}`}` };
  }
  const panic = console.after(PANIC);
  if (panic !== undefined) return { reason: "panic", message: panic };
  switch (shutdownReason) {
    case "guest-panic":
      return { reason: "panic", message: "no message on the console" };
    case "guest-shutdown":
      return { reason: "poweroff" };
    // QEMU can die by a signal's handler, in order; it has not been asked to by us, who use SIGKILL.
    case "host-signal":
      return { reason: "killed", signal: "SIGTERM" };
    default:
      return { reason: "reboot" };
  }
}

/** QEMU that ends in order says so over QMP first. */
function endOfStranger(shutdownReason: string | undefined): ProcessEnd {
  return shutdownReason === undefined
    ? { code: null, signal: "SIGKILL", stderr: "" }
    : { code: 0, signal: null, stderr: "" };
}
