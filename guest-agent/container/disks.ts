/** The machine's virtio disks, found by serial and mounted once however many containers use them. */

import { MNT_DETACH, MS_RDONLY } from "../linux/mount.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import { ensureFolder, listFolder, readTextIfAny } from "./file-access.ts";

/** virtio 1.2 §5.2.6.1: a serial is at most 20 bytes long */
const SERIAL_BYTES = 20;

export interface DiskUse {
  readonly serial: string;
  /** `erofs`, mounted read-only, or `ext4` */
  readonly type: "erofs" | "ext4";
  /** whether the host lets nobody write on it */
  readonly readOnly?: boolean;
}

/**
 * How each type is mounted. The host makes the ext4 with whole inode tables, and a container that has just started
 * reads few of its bitmaps: what ext4 would do ahead of time in the background is left out.
 */
const MOUNTS = {
  erofs: { flags: MS_RDONLY },
  ext4: { flags: 0, data: "noinit_itable,no_prefetch_block_bitmaps" },
} as const;

/** Mounted disks below one folder. */
export class Disks {
  readonly #sys: Syscalls;
  readonly #folder: string;
  readonly #users = new Map<string, number>();
  /** devices by serial, as far as they were looked at; a machine's disks are there from its start */
  readonly #devices = new Map<string, string>();

  constructor(sys: Syscalls, folder: string) {
    this.#sys = sys;
    this.#folder = folder;
  }

  /** Mounts the disk unless it is. @returns where it is mounted */
  acquire({ serial, type, readOnly = false }: DiskUse): string {
    checkSerial(serial);
    const target = `${this.#folder}/${serial}`;
    const users = this.#users.get(serial) ?? 0;
    if (users === 0) this.#mount(this.#find(serial), target, { type, readOnly });
    this.#users.set(serial, users + 1);
    return target;
  }

  /** Ends one use; the last one unmounts. */
  release(serial: string): void {
    const users = this.#users.get(serial);
    if (users === undefined) return;
    if (users > 1) {
      this.#users.set(serial, users - 1);
      return;
    }
    this.#users.delete(serial);
    const target = `${this.#folder}/${serial}`;
    unmountIfAny(this.#sys, target);
    this.#sys.rmdir(target);
  }

  /**
   * Device of the virtio disk with `serial`, `/dev/vda`.
   *
   * @throws ContainerError `CONTAINER_SPEC` when there is none
   */
  #find(serial: string): string {
    const wanted = serial.slice(0, SERIAL_BYTES);
    if (!this.#devices.has(wanted)) {
      for (const name of listFolder(this.#sys, "/sys/block")) {
        const found = readTextIfAny(this.#sys, `/sys/block/${name}/serial`, 4096)?.trim();
        if (found !== undefined) this.#devices.set(found, `/dev/${name}`);
      }
    }
    const device = this.#devices.get(wanted);
    if (device !== undefined) return device;
    throw containerError("CONTAINER_SPEC", `no disk with the serial ${serial}`);
  }

  #mount(
    source: string,
    target: string,
    { type, readOnly }: { readonly type: DiskUse["type"]; readonly readOnly: boolean },
  ): void {
    ensureFolder(this.#sys, target);
    const usual = MOUNTS[type];
    const flags = readOnly ? MS_RDONLY : usual.flags;
    try {
      this.#sys.mount({ source, target, type, ...usual, flags });
    } catch (error) {
      this.#sys.rmdir(target);
      throw error;
    }
  }
}

/** Takes a mount away; what still uses it keeps it until then. */
export function unmountIfAny(sys: Syscalls, path: string): void {
  try {
    sys.umount2(path, 0);
  } catch (error) {
    if (isSyscallError(error, "EBUSY")) sys.umount2(path, MNT_DETACH);
    else if (!isSyscallError(error, "EINVAL", "ENOENT")) throw error;
  }
}

/** The serial, or tag, becomes part of a path and of mount options. */
export function checkSerial(serial: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(serial)) return;
  throw containerError(
    "CONTAINER_SPEC",
    `invalid disk serial: ${JSON.stringify(serial.slice(0, 80))}`,
  );
}
