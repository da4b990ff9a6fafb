/** The machine's end. */

import type { Containers } from "../container/containers.ts";
import { LINUX_REBOOT_CMD_RESTART } from "../linux/reboot.ts";
import { SIGNALS } from "../linux/signal.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";

/**
 * Kills, unmounts, writes out and ends the machine.
 *
 * It ends by a restart, not by power off: without ACPI a machine has no power switch and would halt for ever, while
 * every VMM ends at the restart (QEMU with -no-reboot; the kernel's `reboot=t` makes it an immediate triple fault).
 */
export function shutDown(sys: Syscalls, containers: Containers): void {
  for (const id of Object.keys(containers.list())) {
    try {
      containers.remove(id);
    } catch {
      // What cannot be unmounted is written out by sync below; the journal of ext4 does the rest.
    }
  }
  killRest(sys);
  sys.sync();
  sys.reboot(LINUX_REBOOT_CMD_RESTART);
}

function killRest(sys: Syscalls): void {
  try {
    sys.kill(-1, SIGNALS.SIGKILL);
  } catch (error) {
    if (!isSyscallError(error, "ESRCH")) throw error;
  }
}
