/** The devices that a machine's configuration asks for. */

import { BlankDisk } from "../devices/block/blank-disk.ts";
import type { Disk } from "../devices/block/disk.ts";
import { ExtentDisk } from "../devices/block/extent-disk.ts";
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
import { VirtioFs } from "../devices/virtio/fs.ts";
import { VirtioNet } from "../devices/virtio/net.ts";
import { VirtioRng } from "../devices/virtio/rng.ts";
import type { DiskLimits } from "../hypervisor.ts";
import type { System } from "./system.ts";
import type { VmmConfig, VmmDisk, VmmNetwork } from "./vmm-config.ts";

/** Tag of the file system that all shares are in, by which the guest's agent mounts it. */
const SHARE_TAG = "dvm";

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
  const limiters = new Map<string, DiskLimiter>(); // disks with the same limits have them together
  const limiterOf = (limits: DiskLimits | undefined): DiskLimiter | undefined => {
    if (limits === undefined) return undefined;
    const key = JSON.stringify(limits);
    const limiter = limiters.get(key) ?? new DiskLimiter(limits, system.now());
    limiters.set(key, limiter);
    return limiter;
  };
  const disks = config.disks.map(
    ({ serial, limits, ...rest }) =>
      new VirtioBlock(system, { serial, limiter: limiterOf(limits), disk: openDisk(system, rest) }),
  );
  const cards = config.networks.map((card) => new VirtioNet(openLink(system, card), card.mac));
  const shares =
    config.shares.length > 0
      ? [new VirtioFs(new FuseServer(system, config.shares), SHARE_TAG)]
      : [];
  const [rng, balloon] = [new VirtioRng(system), new VirtioBalloon(system)];
  return [console, rng, balloon, ...disks, ...cards, ...shares];
}

function openLink(system: System, { kind, fd }: VmmNetwork): NetLink {
  if (fd === undefined) return new IdleLink(system, kind === "tap" ? TAP_FEATURES : 0);
  return kind === "tap" ? new TapLink(system, fd) : new StreamLink(system, fd);
}

function openDisk(
  system: System,
  { source, readOnly, disposable }: Pick<VmmDisk, "source" | "readOnly" | "disposable">,
): Disk {
  if (source.kind === "blank") return new BlankDisk({ readOnly });
  if (source.kind === "extents") return new ExtentDisk(system, source.extents);
  const disk = new RawDisk(system, source.fd, { disposable });
  return readOnly ? { length: disk.length, read: (offset, data) => disk.read(offset, data) } : disk;
}
