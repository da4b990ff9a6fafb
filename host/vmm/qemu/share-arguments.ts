/** QEMU's arguments for what is shared with a machine, whose server is a process of its own (vhost-user). */

import { join } from "node:path";
import { type MachineConfig, SHARE_TAG } from "../hypervisor.ts";

/** Requests that may be under way; the server answers them in turn. */
const QUEUE_SIZE = 1024;

/** Where the server listens. */
export function shareSocket(runDirectory: string): string {
  return join(runDirectory, "shares.sock");
}

/**
 * The memory of a machine with shares: the server reads and writes it itself. Other machines have the usual kind,
 * which starts sooner.
 */
export function memoryArguments({ memoryMiB, shares }: MachineConfig): string[] {
  if (shares.length === 0) return [];
  const memory = `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`;
  return ["-object", memory, "-machine", "memory-backend=memory"];
}

export function shareArguments({ shares, runDirectory }: MachineConfig): string[] {
  if (shares.length === 0) return [];
  const path = shareSocket(runDirectory).replaceAll(",", ",,");
  const device = `vhost-user-fs-device,chardev=shares,tag=${SHARE_TAG},queue-size=${QUEUE_SIZE}`;
  return ["-chardev", `socket,id=shares,path=${path}`, "-device", device];
}
