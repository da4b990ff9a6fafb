/** Disks that come to a running machine and go again: what stands behind them, and their devices on its controller. */

import { setTimeout } from "node:timers/promises";
import { VmmError } from "../errors.ts";
import type { DiskConfig } from "../hypervisor.ts";
import { type Execute, placed, type Qmp, withHandedOver } from "./handed-disks.ts";
import { PLUG_CONTROLLER, pluggedDevice } from "./qemu-arguments.ts";

/**
 * The logical unit of each disk, which is its target's only one. The guest, told by `scsi_mod.scan=manual` to look for
 * none at its boot, takes notice of any that is announced but 0 (virtscsi_handle_transport_reset of
 * drivers/scsi/virtio_scsi.c and scsi_scan_target of drivers/scsi/scsi_scan.c, Linux 6.1).
 */
const LUN = 1;

/** Looks whether a device that was taken away has let go of its disk, and between two, in `milliseconds`. */
const LOOKS = 200;
const LOOK_AGAIN = 5;

/** @throws {VmmError} VMM_UNSUPPORTED for a machine without a place for them; none is plugged then */
export async function plugDisks(qmp: Qmp, disks: readonly DiskConfig[]): Promise<void> {
  const { execute } = qmp;
  await using undo = new AsyncDisposableStack();
  await withHandedOver(qmp, disks.map(placed), async (nodes) => {
    for (const [index, disk] of disks.entries()) {
      const name = nodeName(disk.serial);
      await execute("blockdev-add", { "node-name": name, ...nodes[index] });
      undo.defer(() => removeNode(execute, name));
      const place = { bus: `${PLUG_CONTROLLER}.0`, lun: LUN };
      const device = { driver: "scsi-hd", id: name, drive: name, ...place, ...pluggedDevice(disk) };
      await execute("device_add", device).catch(refuse);
      undo.defer(() => removeDevice(execute, name));
    }
  });
  undo.move();
}

/** Resolves when their files are free for others; what is not there is gone. */
export async function unplugDisks(execute: Execute, serials: readonly string[]): Promise<void> {
  const names = serials.map(nodeName);
  await Promise.all(names.map((name) => removeDevice(execute, name)));
  await Promise.all(names.map((name) => removeNode(execute, name)));
}

function nodeName(serial: string): string {
  return `plug-${serial}`;
}

async function removeDevice(execute: Execute, id: string): Promise<void> {
  await execute("device_del", { id }).catch((error: Error) => {
    if (!/not found/.test(error.message)) throw error;
  });
}

/** The device lets go of its node when no thread of QEMU can see it any more. */
async function removeNode(execute: Execute, name: string): Promise<void> {
  for (let look = 1; ; look++) {
    try {
      await execute("blockdev-del", { "node-name": name });
      return;
    } catch (error) {
      const { message } = error as Error;
      if (/Failed to find node/.test(message)) return;
      if (look === LOOKS || !/in use/.test(message)) throw error;
      await setTimeout(LOOK_AGAIN);
    }
  }
}

function refuse(error: unknown): never {
  const isFull = error instanceof VmmError && error.message.includes(`'${PLUG_CONTROLLER}.0'`);
  if (!isFull) throw error;
  throw new VmmError("VMM_UNSUPPORTED", "the machine has no place for further disks", {
    hint: "QEMU's machine has eight devices: with fewer networks, volumes that are disks or shared folders there is room for a disk controller",
    cause: error,
  });
}
