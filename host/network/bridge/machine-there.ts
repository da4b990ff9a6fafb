/** Whether a machine is there for whose sake the host was changed. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processStart } from "../process-start.ts";

interface Noted {
  readonly pid?: unknown;
  readonly startTime?: unknown;
}

/**
 * Its folder says who answers for it and, once it runs, which process it is (`owner.json`); when neither lives any
 * more, nobody may come who would clear up. A folder that says nothing is one that is being made.
 */
export function isMachineThere(runDirectory: string): boolean {
  if (!existsSync(runDirectory)) return false;
  let owner: { readonly engine?: Noted; readonly vmm?: Noted };
  try {
    owner = JSON.parse(readFileSync(join(runDirectory, "owner.json"), "utf8"));
  } catch {
    return true;
  }
  const noted = [owner.engine, owner.vmm].filter((each) => each !== undefined);
  return noted.length === 0 || noted.some(lives);
}

function lives({ pid, startTime }: Noted): boolean {
  return typeof pid === "number" && processStart(pid) === startTime;
}
