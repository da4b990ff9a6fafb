/** Processes that belong to a container, and what they hold of memory. */

import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/**
 * All processes whose command line holds one of the marks, and their descendants: the engine's own as much as the
 * container's.
 *
 * @param marks words that stand in no other process's command line, such as the folder of a store
 */
export async function processesOf(...marks: readonly string[]): Promise<readonly number[]> {
  const all = await processes();
  const found = new Set<number>();
  for (const { pid, commandLine } of all)
    if (marks.some((mark) => commandLine.includes(mark))) found.add(pid);
  // parents come before children in one of the turns
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Processes whose command line holds the mark, without their descendants. */
export async function processesWith(mark: string): Promise<readonly number[]> {
  const all = await processes();
  return all.filter(({ commandLine }) => commandLine.includes(mark)).map(({ pid }) => pid);
}

/** Processes by the name of their program (`comm`, proc(5)). */
export async function processesNamed(...names: readonly string[]): Promise<readonly number[]> {
  const all = await processes();
  return all.filter(({ name }) => names.includes(name)).map(({ pid }) => pid);
}

/** utime and stime of /proc/PID/stat in ticks of 10 ms (proc(5)). @returns `milliseconds` */
export async function cpuTimeOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export interface Memory {
  /** proportional: a page that several share counts in parts, in `MiB` */
  readonly pss: number;
  /** resident: a shared page counts for each, in `MiB` */
  readonly rss: number;
}

/** Sums over processes of /proc/PID/smaps_rollup (proc(5)); one that has just ended holds nothing. */
export async function memoryOf(pids: readonly number[]): Promise<Memory> {
  const texts = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "")),
  );
  const sum = (field: string): number =>
    texts.reduce(
      (total, text) =>
        total + Number(new RegExp(`^${field}: +(\\d+) kB`, "m").exec(text)?.[1] ?? 0),
      0,
    ) / 1024;
  return { pss: sum("Pss"), rss: sum("Rss") };
}

/** Time that a process gets to end in order, in `milliseconds`. */
const GRACE = 10_000;

/** Ends all processes with a mark: in order, else by force. @returns when they are gone */
export async function endProcesses(...marks: readonly string[]): Promise<void> {
  const deadline = performance.now() + GRACE;
  let signal: NodeJS.Signals | undefined = "SIGTERM";
  for (;;) {
    const pids = await processesOf(...marks);
    if (pids.length === 0) return;
    if (performance.now() > deadline) signal = "SIGKILL";
    if (signal !== undefined) for (const pid of pids) end(pid, signal);
    signal = undefined;
    await setTimeout(20);
  }
}

/** One that has gone needs no signal. */
function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

interface ProcessView {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly commandLine: string;
}

/** All but the bench itself. */
async function processes(): Promise<readonly ProcessView[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = await Promise.all(names.map(readProcess));
  return read.filter((each) => each !== undefined).filter(({ pid }) => pid !== process.pid);
}

async function readProcess(entry: string): Promise<ProcessView | undefined> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${entry}/stat`, "utf8"),
      readFile(`/proc/${entry}/cmdline`, "utf8"),
    ]);
    // the name in brackets may hold anything: the fields go on behind the last one (proc(5))
    const end = stat.lastIndexOf(")");
    const parent = Number(stat.slice(end + 2).split(" ")[1]);
    const name = stat.slice(stat.indexOf("(") + 1, end);
    return { pid: Number(entry), parent, name, commandLine };
  } catch {
    return undefined;
  }
}
