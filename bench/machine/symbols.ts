/** Functions of the guest kernel by address, out of its System.map. */

/** Where the kernel is linked to, less where it is loaded (`__START_KERNEL_map`, arch/x86/include/asm/page_64_types.h). */
const KERNEL_MAP = 0xffffffff80000000n;

export interface Profile {
  /** instructions by function, the most first */
  readonly functions: readonly (readonly [name: string, instructions: number])[];
  /** instructions of the kernel, before and after it turned paging on */
  readonly kernel: number;
  /** instructions of programs: the agent, until something else is started */
  readonly user: number;
}

/** @param blocks lines `ADDRESS COUNT` of the profiling plugin */
export function profile(blocks: string, systemMap: string): Profile {
  const symbols = readSymbols(systemMap);
  const functions = new Map<string, number>();
  let [kernel, user] = [0, 0];
  for (const line of blocks.split("\n")) {
    const [address, count] = line.split(" ");
    if (address === undefined || count === undefined) continue;
    const name = symbols.nameAt(BigInt(`0x${address}`));
    if (name === undefined) user += Number(count);
    else kernel += Number(count);
    const key = name ?? "programs (the agent)";
    functions.set(key, (functions.get(key) ?? 0) + Number(count));
  }
  const sorted = [...functions].toSorted(([, a], [, b]) => b - a);
  return { functions: sorted, kernel, user };
}

interface Symbols {
  /** the function that holds an address; undefined: it is no kernel's */
  nameAt(address: bigint): string | undefined;
}

function readSymbols(systemMap: string): Symbols {
  const found = [...systemMap.matchAll(/^([0-9a-f]{16}) [tTwW] (\S+)$/gm)].map(
    ([, address, name = ""]) => ({ address: BigInt(`0x${address}`), name }),
  );
  // names of assembler's own labels and of sections stand at the same addresses as functions
  const named = found.filter(
    ({ address, name }) => address >= KERNEL_MAP && !/^(\.L|_s?text$)/.test(name),
  );
  const sorted = named.toSorted((a, b) => Number(a.address - b.address));
  const first = sorted[0]?.address ?? KERNEL_MAP;
  const last = (sorted.at(-1)?.address ?? KERNEL_MAP) + 0x10000n;
  return {
    nameAt(address) {
      // before paging the kernel runs where it was loaded
      const early =
        address < KERNEL_MAP && address + KERNEL_MAP >= first && address + KERNEL_MAP < last;
      const at = early ? address + KERNEL_MAP : address;
      if (at < 0xffff_8000_0000_0000n) return undefined;
      let [low, high] = [0, sorted.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((sorted[middle]?.address ?? at) <= at) low = middle + 1;
        else high = middle;
      }
      return sorted[low - 1]?.name ?? "kernel, no symbol";
    },
  };
}
