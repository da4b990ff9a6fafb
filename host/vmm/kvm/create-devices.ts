/** The devices that a machine's configuration asks for. */

import { BlankDisk } from "../devices/block/blank-disk.ts";
import type { Disk } from "../devices/block/disk.ts";
import { ExtentDisk } from "../devices/block/extent-disk.ts";
import { FileTransfer } from "../devices/block/file-transfer.ts";
import { Qcow2Disk } from "../devices/block/qcow2-disk.ts";
import { RawDisk } from "../devices/block/raw-disk.ts";
import { DiskLimiter } from "../devices/block/token-bucket.ts";
import { FuseServer } from "../devices/fs/fuse-server.ts";
import { IdleLink } from "../devices/net/idle-link.ts";
import type { NetLink } from "../devices/net/net-link.ts";
import { StreamLink } from "../devices/net/stream-link.ts";
import { TAP_FEATURES, TapLink } from "../devices/net/tap-link.ts";
import { VirtioBalloon } from "../devices/virtio/balloon.ts";
import { VirtioBlock } from "../devices/virtio/block.ts";
import { VirtioConsole } from "../devices/virtio/console.ts";
import { ConsoleLogPort } from "../devices/virtio/console-log.ts";
import { ConsoleSocketPort } from "../devices/virtio/console-socket.ts";
import type { VirtioDevice } from "../devices/virtio/device.ts";
import { EmptySlot } from "../devices/virtio/empty-slot.ts";
import { VirtioFs } from "../devices/virtio/fs.ts";
import { VirtioNet } from "../devices/virtio/net.ts";
import { VirtioRng } from "../devices/virtio/rng.ts";
import { VIRTIO_DEVICES_LIMIT } from "../x86_64/layout.ts";
import type { System } from "./system.ts";
import type { VmmConfig, VmmDisk, VmmNetwork } from "./vmm-config.ts";

/** Tag of the file system that all shares are in, by which the guest's agent mounts it. */
const SHARE_TAG = "dvm";
/** How many disks can come to a running machine: those of four containers. */
const SLOTS = 8;

/** All devices, in the order of their addresses. */
export function createDevices(
  system: System,
  config: VmmConfig,
  onGuestOpen: () => void,
): VirtioDevice[] {
  const console = new VirtioConsole([
    new ConsoleLogPort(system, config.fds.console),
    new ConsoleSocketPort(system, { name: "dvm.agent", listener: config.fds.agent, onGuestOpen }),
  ]);
  const disks = config.disks.map(diskMaker(new FileTransfer(system)));
  const cards = config.networks.map((card) => new VirtioNet(openLink(system, card), card.mac));
  const shares =
    config.shares.length > 0
      ? [new VirtioFs(new FuseServer(system, config.shares), SHARE_TAG)]
      : [];
  const [rng, balloon] = [new VirtioRng(system), new VirtioBalloon(system)];
  const devices = [console, rng, balloon, ...disks, ...cards, ...shares];
  const room = Math.max(0, VIRTIO_DEVICES_LIMIT - devices.length);
  const slots = Array.from({ length: Math.min(SLOTS, room) }, () => new EmptySlot());
  return [...devices, ...slots];
}

/** What makes disks, of which those with the same limits have them together. */
export function diskMaker(transfer: FileTransfer): (disk: VmmDisk) => VirtioBlock {
  const { system } = transfer;
  const limiters = new Map<string, DiskLimiter>();
  return ({ serial, limits, ...rest }) => {
    const key = JSON.stringify(limits);
    if (limits !== undefined && !limiters.has(key)) {
      limiters.set(key, new DiskLimiter(limits, system.now()));
    }
    const disk = openDisk(transfer, rest);
    return new VirtioBlock(system, { serial, disk, limiter: limiters.get(key) });
  };
}

function openLink(system: System, { kind, fd }: VmmNetwork): NetLink {
  if (fd === undefined) return new IdleLink(system, kind === "tap" ? TAP_FEATURES : 0);
  return kind === "tap" ? new TapLink(system, fd) : new StreamLink(system, fd);
}

function openDisk(
  transfer: FileTransfer,
  { source, readOnly, disposable }: Pick<VmmDisk, "source" | "readOnly" | "disposable">,
): Disk {
  if (source.kind === "blank") return new BlankDisk({ readOnly });
  if (source.kind === "extents") return new ExtentDisk(transfer, source.extents);
  const { fd } = source;
  const disk =
    source.kind === "raw"
      ? new RawDisk(transfer, fd, { disposable })
      : new Qcow2Disk(transfer, { fd, backing: source.backing?.fd, disposable });
  return readOnly ? { length: disk.length, read: (offset, data) => disk.read(offset, data) } : disk;
}
