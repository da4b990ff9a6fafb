/** Disks that come to a running machine and go again: they take the places that it was made with for them. */

import { FileTransfer } from "../devices/block/file-transfer.ts";
import { EmptySlot } from "../devices/virtio/empty-slot.ts";
import type { VirtioTransport } from "../devices/virtio/transport.ts";
import { diskMaker } from "./create-devices.ts";
import { KvmError } from "./errors.ts";
import { check, type System } from "./system.ts";
import type { VmmDisk } from "./vmm-config.ts";

interface Plugged {
  readonly transport: VirtioTransport;
  readonly disk: VmmDisk;
}

export class DiskSlots {
  readonly #transfer: FileTransfer;
  readonly #transports: readonly VirtioTransport[];
  /** by their serials */
  readonly #plugged = new Map<string, Plugged>();

  /** @param transports of all devices */
  constructor(system: System, transports: readonly VirtioTransport[]) {
    this.#transfer = new FileTransfer(system);
    this.#transports = transports;
  }

  /**
   * Adds disks and takes their descriptors over. The guest hears of them from its agent.
   *
   * @returns why none of them is there; undefined: all are
   */
  plug(disks: readonly VmmDisk[]): string | undefined {
    try {
      this.#plug(disks);
      return undefined;
    } catch (error) {
      this.#closeFilesOf(disks);
      return String(error);
    }
  }

  #plug(disks: readonly VmmDisk[]): void {
    const free = this.#transports.filter(({ device }) => device instanceof EmptySlot);
    if (disks.length > free.length)
      throw new KvmError(`no place for ${disks.length} further disks`);
    const devices = disks.map(diskMaker(this.#transfer));
    for (const [index, disk] of disks.entries()) {
      const [transport, device] = [free[index], devices[index]];
      if (transport === undefined || device === undefined) break;
      transport.become(device);
      this.#plugged.set(disk.serial, { transport, disk });
    }
  }

  /** Takes disks away, whether or not the guest has given them up. */
  unplug(serials: readonly string[]): void {
    const gone = serials.flatMap((serial) => this.#plugged.get(serial) ?? []);
    for (const { transport, disk } of gone) {
      transport.become(new EmptySlot());
      this.#plugged.delete(disk.serial);
    }
    this.#closeFilesOf(gone.map(({ disk }) => disk));
  }

  /** Those that came with one request have some files in common. */
  #closeFilesOf(disks: readonly VmmDisk[]): void {
    const used = new Set([...this.#plugged.values()].flatMap(({ disk }) => filesOf(disk)));
    for (const fd of new Set(disks.flatMap(filesOf))) {
      if (!used.has(fd)) check("close", this.#transfer.system.close(fd));
    }
  }
}

function filesOf({ source }: VmmDisk): number[] {
  if (source.kind === "raw") return [source.fd];
  if (source.kind === "qcow2") return [source.fd, ...(source.backing ? [source.backing.fd] : [])];
  if (source.kind === "blank") return [];
  return source.extents.flatMap((extent) => (extent.kind === "file" ? extent.fd : []));
}
