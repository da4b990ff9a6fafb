/** The peak of the resident memory of what a process starts while something is done. */

import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/** Between two looks, in `milliseconds`. */
const INTERVAL = 10;

/** @returns the largest VmHWM of proc(5) of the children of a process, in `MiB`; 0 when it started none */
export async function peakOfChildren(pid: number, work: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  const done = work().finally(() => {
    isOver = true;
  });
  let peak = 0;
  while (!isOver) {
    const children = await read(`/proc/${pid}/task/${pid}/children`);
    for (const child of children.split(" ").filter(Boolean)) {
      const found = /^VmHWM:\s+([0-9]+) kB/m.exec(await read(`/proc/${child}/status`))?.[1];
      if (found !== undefined) peak = Math.max(peak, Number(found) / 1024);
    }
    await Promise.race([done, setTimeout(INTERVAL)]);
  }
  await done;
  return peak;
}

/** A process may be gone. */
function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
