/** Lists of CPUs as cpuset(7) writes them: `0-2,4`. */

/** More CPUs than any kernel has: a bound on what a range may ask for. */
const MAX_CPUS = 8192;

/** The CPUs of the list in rising order, or `undefined` for what is no list. */
export function parseCpuList(text: string): readonly number[] | undefined {
  const cpus = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last >= MAX_CPUS) return undefined;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}
