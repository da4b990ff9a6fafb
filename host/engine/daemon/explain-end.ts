/** How a container's process ended that went with its machine. */

import type { Machine } from "../../vmm/hypervisor.ts";
import { explainLoss } from "../boot-machine.ts";
import type { ContainerExit } from "../container-exit.ts";
import { engineError } from "../errors.ts";

/** Status of a process whose machine was killed: 128 + SIGKILL. */
const KILLED = 137;
/** Docker's status for a failure of the engine. */
const FAILED = 125;

/** @param how whether we have ended the machine, and else why there is nobody to speak to any more, if that is known */
export async function explainEnd(
  machine: Machine | undefined,
  how: { readonly error: Error | undefined; readonly isKilled: boolean },
): Promise<ContainerExit> {
  if (how.isKilled || machine === undefined) return { exitCode: KILLED, oomKilled: false };
  const cause = how.error ?? engineError("MACHINE_LOST", "the virtual machine ended");
  const explained = await explainLoss(machine, cause);
  const exit = await Promise.race([machine.exit, undefined]);
  return {
    exitCode: exit?.reason === "killed" ? KILLED : FAILED,
    oomKilled: false,
    error: explained instanceof Error ? explained.message : String(explained),
  };
}
