/** The disk that a machine swaps to, where a container may use more memory and swap than memory. */

import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SwapSpec } from "#protocol";
import type { DiskConfig } from "../../vmm/hypervisor.ts";
import type { ResourceConfig } from "../container-config.ts";
import type { ContainerRecord } from "../container-record.ts";
import { ContainerStore } from "../container-store.ts";

const SWAP_SERIAL = "dvm-swap";

/**
 * Swap without a limit, and at most where there is little memory, in `bytes`: the guest keeps three bytes for each page
 * of it, used or not.
 */
const MOST_SWAP = 4 * 2 ** 30;

const PAGE = 4096;
/** struct swap_header (include/linux/swap.h): where `info` begins, behind what a boot loader may have */
const INFO = 1024;
const SWAP_VERSION = 1;
const MAGIC = "SWAPSPACE2";

/**
 * What a container may swap, in `bytes`. Memory alone asks for none: Docker then allows as much swap again where the host
 * has swap, which a machine has when it is asked for.
 */
export function swapBytes({ memory = 0, memorySwap = 0 }: ResourceConfig): number {
  if (memory <= 0 || memorySwap === 0) return 0;
  const most = Math.max(MOST_SWAP, memory);
  const wanted = memorySwap < 0 ? most : Math.min(memorySwap - memory, most);
  return Math.floor(wanted / PAGE) * PAGE;
}

/** Makes it anew for a start: what was swapped before is nobody's. Its file takes no room until memory is swapped. */
export function makeSwapDisk(
  { id, config }: Pick<ContainerRecord, "id" | "config">,
  dataRoot: string,
): { readonly disk: DiskConfig; readonly swap: SwapSpec } | undefined {
  const { resources } = config;
  const bytes = swapBytes(resources);
  if (bytes === 0) return undefined;
  const path = swapPath(dataRoot, id);
  rmSync(path, { force: true });
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, swapHeader(bytes));
    ftruncateSync(file, PAGE + bytes);
  } finally {
    closeSync(file);
  }
  const { memorySwappiness: swappiness } = resources;
  return {
    disk: {
      serial: SWAP_SERIAL,
      readOnly: false,
      disposable: true,
      source: { kind: "file", path, format: "raw" },
    },
    swap: { serial: SWAP_SERIAL, ...(swappiness === undefined ? {} : { swappiness }) },
  };
}

/** Once its machine is no more. */
export function removeSwapDisk(dataRoot: string, container: string): void {
  rmSync(swapPath(dataRoot, container), { force: true });
}

function swapPath(dataRoot: string, container: string): string {
  return join(new ContainerStore(dataRoot).folder(container), "swap.img");
}

/** The first page of an area of which `bytes` are for memory. */
function swapHeader(bytes: number): Buffer {
  const header = Buffer.alloc(PAGE);
  header.writeUInt32LE(SWAP_VERSION, INFO);
  header.writeUInt32LE(bytes / PAGE, INFO + 4); // last_page
  header.write(MAGIC, PAGE - MAGIC.length, "latin1");
  return header;
}
