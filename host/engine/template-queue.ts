/** Makes the templates that a daemon's containers had to do without, one after the other, when nothing else is on. */

import { setTimeout } from "node:timers/promises";
import type { Hypervisor, MachineConfig } from "../vmm/hypervisor.ts";
import type { EventSink } from "./engine-event.ts";

/** After the start that wanted one, in `milliseconds`: its container comes first. */
const LATER = 3000;

/** Machines that wait for theirs; more need not: whoever boots next asks again. */
const MAX_WAITING = 4;

let last: Promise<void> = Promise.resolve();
let waiting = 0;

/** Failures are told and no more: the next container boots as this one did. */
export function makeTemplate(
  hypervisor: Hypervisor,
  config: MachineConfig,
  onEvent: EventSink,
): void {
  if (waiting === MAX_WAITING) return;
  waiting++;
  last = last.then(async () => {
    await setTimeout(LATER, undefined, { ref: false });
    try {
      await hypervisor.saveTemplate?.(config, { background: true });
    } catch (error) {
      onEvent({ type: "warning", text: `making a template: ${(error as Error).message}` });
    } finally {
      waiting--;
    }
  });
}
