/**
 * A FUSE server over folders and files of the host: what the guest asks of them is done by system calls of this thread.
 *
 * The guest is hostile: its numbers of nodes and of open files are looked up, its names checked in our own copy of
 * the request, its lengths bounded.
 */

import { ERRNO } from "#linux/errno";
import { type System, SystemCallError } from "../../kvm/system.ts";
import type { VmmShare } from "../../kvm/vmm-config.ts";
import type { Chain } from "../virtio/chain.ts";
import { attributeOperations } from "./attribute-operations.ts";
import { fileOperations, TRANSFER_LIMIT } from "./file-operations.ts";
import { folderOperations } from "./folder-operations.ts";
import * as fuse from "./fuse.ts";
import { FuseMessage } from "./fuse-message.ts";
import { nameOperations } from "./name-operations.ts";
import type { OperationTable } from "./operation-table.ts";
import { SharedFiles } from "./shared-files.ts";

/** The protocol of Linux 5.4, before which virtio-fs was not. */
const MINOR_NEEDED = 31;
/** Requests that Linux sends ahead of what a program waits for. */
const BACKGROUND_LIMIT = 64;
const PAGE_SIZE = 4096;

const FEATURES =
  fuse.FUSE_ASYNC_READ |
  fuse.FUSE_ATOMIC_O_TRUNC |
  fuse.FUSE_BIG_WRITES |
  fuse.FUSE_AUTO_INVAL_DATA |
  fuse.FUSE_DO_READDIRPLUS |
  fuse.FUSE_READDIRPLUS_AUTO |
  fuse.FUSE_ASYNC_DIO |
  fuse.FUSE_PARALLEL_DIROPS |
  fuse.FUSE_MAX_PAGES |
  fuse.FUSE_HANDLE_KILLPRIV_V2;

const operations: OperationTable = {
  ...nameOperations,
  ...attributeOperations,
  ...fileOperations,
  ...folderOperations,
  [fuse.fuse_opcode.FUSE_INIT]: initialise,
  [fuse.fuse_opcode.FUSE_DESTROY]: (files) => {
    files.reset();
    return 0;
  },
};

export class FuseServer {
  readonly #files: SharedFiles;
  readonly #message: FuseMessage;

  /** Opens what it needs, so it comes before the sandbox. */
  constructor(system: System, shares: readonly VmmShare[]) {
    this.#files = new SharedFiles(system, shares);
    this.#message = new FuseMessage(system);
  }

  /** Forgets all that the guest knows. */
  reset(): void {
    this.#files.reset();
  }

  /**
   * Serves one request; how many bytes were written to the guest.
   *
   * @throws {RingError} on a request without a header, or without room for its answer
   */
  serve(chain: Chain): number {
    this.#message.load(chain);
    const { opcode } = this.#message;
    const result = this.#run(opcode);
    if (opcode === fuse.fuse_opcode.FUSE_FORGET || opcode === fuse.fuse_opcode.FUSE_BATCH_FORGET)
      return 0;
    return this.#message.send(result, opcode === fuse.fuse_opcode.FUSE_READ);
  }

  /** An operation that is missing is one that Linux then does without. */
  #run(opcode: number): number {
    try {
      return operations[opcode]?.(this.#files, this.#message) ?? -ERRNO.ENOSYS;
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      return -error.errno;
    }
  }
}

function initialise(files: SharedFiles, message: FuseMessage): number {
  const minor = message.u32(fuse.fuse_init_in.minor);
  const isKnown =
    message.u32(fuse.fuse_init_in.major) === fuse.FUSE_KERNEL_VERSION && minor >= MINOR_NEEDED;
  if (!isKnown) return -ERRNO.EPROTO;
  files.reset();
  const flags = message.u32(fuse.fuse_init_in.flags) & FEATURES;
  const readAhead = Math.min(message.u32(fuse.fuse_init_in.max_readahead), TRANSFER_LIMIT);
  const out = message.body(fuse.fuse_init_out.size);
  out.setUint32(fuse.fuse_init_out.major, fuse.FUSE_KERNEL_VERSION, true);
  out.setUint32(fuse.fuse_init_out.minor, Math.min(minor, fuse.FUSE_KERNEL_MINOR_VERSION), true);
  out.setUint32(fuse.fuse_init_out.max_readahead, readAhead, true);
  out.setUint32(fuse.fuse_init_out.flags, flags, true);
  out.setUint16(fuse.fuse_init_out.max_background, BACKGROUND_LIMIT, true);
  out.setUint16(fuse.fuse_init_out.congestion_threshold, (BACKGROUND_LIMIT * 3) / 4, true);
  out.setUint32(fuse.fuse_init_out.max_write, TRANSFER_LIMIT, true);
  out.setUint32(fuse.fuse_init_out.time_gran, 1, true);
  out.setUint16(fuse.fuse_init_out.max_pages, TRANSFER_LIMIT / PAGE_SIZE, true);
  return fuse.fuse_init_out.size;
}
