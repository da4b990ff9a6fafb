/** Makes the templates that a daemon's containers had to do without, one after the other, when nothing else is on. */

import { setTimeout } from "node:timers/promises";
import type { EngineParts, MakeTemplateOptions } from "./engine-parts.ts";
import { saveWarmTemplate } from "./save-warm-template.ts";

/** After the start that wanted one, in `milliseconds`: its container comes first. */
const LATER = 3000;

/** Machines that wait for theirs; more need not: whoever boots next asks again. */
const MAX_WAITING = 4;

let last: Promise<void> = Promise.resolve();
let waiting = 0;

/**
 * Failures are told and no more: the next container boots as this one did.
 *
 * @returns when there is one, or there will be none
 */
export async function makeTemplate(
  options: MakeTemplateOptions,
  parts: Pick<EngineParts, "makeWritableDisk">,
): Promise<void> {
  if (waiting === MAX_WAITING) return;
  waiting++;
  last = last.then(async () => {
    await setTimeout(LATER, undefined, { ref: false });
    try {
      await saveWarmTemplate({ ...options, parts, background: true });
    } catch (error) {
      const text = `making a template: ${(error as Error).message}`;
      options.onEvent({ type: "warning", text });
    } finally {
      waiting--;
    }
  });
  await last;
}
