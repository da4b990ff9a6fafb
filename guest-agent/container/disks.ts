/** The machine's disks, found by serial and mounted once however many containers use them. */

import { MNT_DETACH, MS_RDONLY } from "../linux/mount.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import { ensureFolder, listFolder, readTextIfAny, writeSetting } from "./file-access.ts";

/** virtio 1.2 §5.2.6.1: a serial is at most 20 bytes long */
const SERIAL_BYTES = 20;

/** Looks for a disk that was plugged in just now, and between two, in `milliseconds`. */
const LOOKS = 5000;
const LOOK_AGAIN = 1;
/** After so many looks the controller is asked what it has: news of a disk can get lost. */
const LOOKS_ALONE = 200;

/** As many looks go by what was found before. */
const LOOKS_FRESH = 50;

/** The controllers of disks that come to a running machine. */
const CONTROLLERS = "/sys/class/scsi_host";
/**
 * Where a machine has none, such a disk takes a place on the machine's bus that was empty, which its driver passed over
 * and is bound to by hand.
 */
const PLACES = "/sys/bus/platform/devices";
const PLACES_DRIVER = "/sys/bus/platform/drivers/virtio-mmio";
const PLACE = /^virtio-mmio\.\d+$/;

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
  /** names of devices by serial, as far as they were looked at */
  #devices = new Map<string, string>();
  /** places that were bound by hand */
  readonly #places = new Set<string>();

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

  /** Path of the device of the disk with `serial`. @throws ContainerError `CONTAINER_SPEC` when there is none */
  device(serial: string): string {
    checkSerial(serial);
    return this.#find(serial);
  }

  /** Ends one use; the last one unmounts. A disk that came to the running machine is given up then. */
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
    this.#giveUp(serial.slice(0, SERIAL_BYTES));
  }

  #giveUp(serial: string): void {
    const name = this.#devices.get(serial);
    if (name === undefined) return;
    if (name.startsWith("sd")) writeSetting(this.#sys, `/sys/block/${name}/device/delete`, "1");
    else if (!this.#leavePlace(name)) return;
    this.#devices.delete(serial);
  }

  /** @returns whether the device was bound by hand */
  #leavePlace(name: string): boolean {
    if (this.#places.size === 0) return false;
    const place = this.#sys.readlink(`/sys/block/${name}`).split("/").find(isPlace);
    if (place === undefined || !this.#places.delete(place)) return false;
    writeSetting(this.#sys, `${PLACES_DRIVER}/unbind`, place);
    return true;
  }

  /**
   * Device of the disk with `serial`, `/dev/vda`.
   *
   * @throws ContainerError `CONTAINER_SPEC` when there is none
   */
  #find(serial: string): string {
    const wanted = serial.slice(0, SERIAL_BYTES);
    for (let look = 0; ; look++) {
      if (!this.#devices.has(wanted)) this.#devices = findDevices(this.#sys, this.#known(look));
      const device = this.#devices.get(wanted);
      if (device !== undefined) return `/dev/${device}`;
      if (look === 0 && this.#fillPlaces()) continue;
      const controllers = listFolderIfAny(this.#sys, CONTROLLERS);
      if (controllers.length === 0 || look === LOOKS) break;
      if (look === LOOKS_ALONE) askControllers(this.#sys, controllers);
      this.#sys.poll([], LOOK_AGAIN);
    }
    throw containerError("CONTAINER_SPEC", `no disk with the serial ${serial}`);
  }

  /** Has the driver look at the places that it passed over. @returns whether there is a device now */
  #fillPlaces(): boolean {
    const bound = new Set(listFolderIfAny(this.#sys, PLACES_DRIVER));
    const places = listFolderIfAny(this.#sys, PLACES).filter(isPlace);
    const filled = places.filter((place) => !bound.has(place) && bind(this.#sys, place));
    for (const place of filled) this.#places.add(place);
    return filled.length > 0;
  }

  /** What is known needs no second look, until it may be out of date: a name is another disk's one day. */
  #known(look: number): ReadonlyMap<string, string> {
    return look % LOOKS_FRESH === 0 ? new Map() : this.#devices;
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

const isPlace = (name: string): boolean => PLACE.test(name);

/** A place that is still empty has no device (virtio_mmio_probe of drivers/virtio/virtio_mmio.c). */
function bind(sys: Syscalls, place: string): boolean {
  try {
    writeSetting(sys, `${PLACES_DRIVER}/bind`, place);
    return true;
  } catch (error) {
    if (isSyscallError(error, "ENODEV")) return false;
    throw error;
  }
}

function findDevices(sys: Syscalls, known: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  const serials = new Map([...known].map(([serial, name]) => [name, serial]));
  for (const name of listFolder(sys, "/sys/block")) {
    const serial = serials.get(name) ?? serialOf(sys, name);
    if (serial !== undefined) found.set(serial.slice(0, SERIAL_BYTES), name);
  }
  return found;
}

/** A SCSI disk has it in a page, behind a header of four bytes (SPC-4 §7.8.15, unit serial number). */
function serialOf(sys: Syscalls, name: string): string | undefined {
  const text = readTextIfAny(sys, `/sys/block/${name}/serial`, 4096);
  const page = text ?? readTextIfAny(sys, `/sys/block/${name}/device/vpd_pg80`, 4096)?.slice(4);
  return page?.trim();
}

/** SCSI: any channel, target and unit (drivers/scsi/scsi_sysfs.c, store_scan). */
function askControllers(sys: Syscalls, controllers: readonly string[]): void {
  for (const name of controllers) writeSetting(sys, `${CONTROLLERS}/${name}/scan`, "- - -");
}

function listFolderIfAny(sys: Syscalls, path: string): string[] {
  try {
    return listFolder(sys, path).filter((name) => !name.startsWith("."));
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return [];
    throw error;
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
