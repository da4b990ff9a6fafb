/** What a container that joins another one's machine is made of there: its disks have serials of their own. */

import type { ContainerSpec } from "#protocol";
import type { DiskConfig, ShareConfig } from "../../vmm/hypervisor.ts";
import type { ContainerConfig } from "../container-config.ts";
import { shortId } from "../container-name.ts";
import { volumeError } from "../volumes/errors.ts";
import type { PreparedMounts } from "../volumes/prepared-mounts.ts";
import { joinsOf } from "./joins.ts";

/** The disks of a machine of its own, as disks of another's. */
export function joinedDisks(container: string, disks: readonly DiskConfig[]): DiskConfig[] {
  return disks.map((disk, index) => ({ ...disk, serial: joinedSerial(container, index) }));
}

/** The specification for a machine of its own, for another's. @param disks of a machine of its own */
export function joinedSpec(
  container: string,
  {
    spec,
    disks,
    config,
  }: {
    readonly spec: ContainerSpec;
    readonly disks: readonly DiskConfig[];
    readonly config: ContainerConfig;
  },
): ContainerSpec {
  const serials = new Map(
    disks.map(({ serial }, index) => [serial, joinedSerial(container, index)]),
  );
  const serialOf = (serial: string) => serials.get(serial) ?? serial;
  const { imageSerial, upper, readOnly } = spec.rootfs;
  return {
    ...spec,
    rootfs: {
      imageSerial: serialOf(imageSerial),
      upper: "serial" in upper ? { ...upper, serial: serialOf(upper.serial) } : upper,
      readOnly,
    },
    mounts: spec.mounts.map((mount) =>
      mount.type === "disk" ? { ...mount, source: serialOf(mount.source) } : mount,
    ),
    ...(spec.devices === undefined
      ? {}
      : {
          devices: spec.devices.map(({ device, ...rest }) => ({
            ...rest,
            device:
              device.kind === "disk" ? { ...device, serial: serialOf(device.serial) } : device,
          })),
        }),
    ...(spec.swap === undefined
      ? {}
      : { swap: { ...spec.swap, serial: serialOf(spec.swap.serial) } }),
    joins: joinsOf(config),
  };
}

/** At most 20 bytes, see `DiskConfig`. */
function joinedSerial(container: string, index: number): string {
  return `${shortId(container)}-${index}`;
}

/**
 * Has the container's folders from what the machine shares already.
 *
 * @throws DvmError `MOUNT_UNSUPPORTED` for one that it does not
 */
export function withSharesOf(
  mounts: PreparedMounts,
  shares: readonly ShareConfig[],
): PreparedMounts {
  const names = new Map(mounts.shares.map((wanted) => [wanted.name, shareFor(wanted, shares)]));
  return {
    ...mounts,
    shares: [],
    specs: mounts.specs.map((spec) =>
      spec.type === "virtiofs" ? { ...spec, source: names.get(spec.source) ?? "" } : spec,
    ),
  };
}

function shareFor(wanted: ShareConfig, shares: readonly ShareConfig[]): string {
  const fits = ({ path, readOnly }: ShareConfig) =>
    path === wanted.path && (wanted.readOnly || !readOnly);
  const share = shares.find((each) => fits(each) && each.readOnly === wanted.readOnly);
  const found = share ?? shares.find(fits);
  if (found !== undefined) return found.name;
  throw volumeError(
    "MOUNT_UNSUPPORTED",
    `folder ${wanted.path} cannot be shared with a machine that runs already`,
    {
      hint: "mount it in the container that is joined too, whose machine has it then, or use a volume of type disk",
    },
  );
}
