/** The options of the driver `local`: what kind of volume they make. */

import { volumeError } from "./errors.ts";

export type VolumeKind =
  /** a folder below the data root */
  | { readonly kind: "folder" }
  /** a disk of its own with ext4 */
  | { readonly kind: "disk" /** in `bytes` */; readonly size: number }
  /** a folder of the host elsewhere: what Docker writes as `type=none,o=bind,device=PATH` */
  | { readonly kind: "device"; readonly path: string; readonly readOnly: boolean };

/** Capacity of a disk without a size, in `bytes`; its file is sparse. */
const DEFAULT_DISK = 10 * 1024 ** 3;
const MIN_DISK = 16 * 1024 ** 2;

/** @throws DvmError `VOLUME_INVALID` naming the option */
export function volumeKind(driver: string, options: Readonly<Record<string, string>>): VolumeKind {
  if (driver !== "local" && driver !== "") {
    throw volumeError(
      "VOLUME_INVALID",
      `error looking up volume plugin ${driver.slice(0, 80)}: plugin not found`,
      {
        hint: "the only driver is local",
      },
    );
  }
  const { type = "", size, o = "", device, ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw volumeError("VOLUME_INVALID", `invalid option: ${JSON.stringify(unknown.slice(0, 80))}`);
  }
  if (type === "disk") return disk(size, { o, device });
  if (size !== undefined) {
    throw volumeError("VOLUME_INVALID", "a volume has a size of its own as a disk only", {
      hint: "add -o type=disk",
    });
  }
  if (type === "" && o === "" && device === undefined) return { kind: "folder" };
  return hostFolder({ type, o, device });
}

function disk(
  size: string | undefined,
  other: { readonly o: string; readonly device: string | undefined },
): VolumeKind {
  if (other.o !== "" || other.device !== undefined) {
    throw volumeError("VOLUME_INVALID", "a volume of type disk takes no options o and device");
  }
  const bytes = size === undefined ? DEFAULT_DISK : parseSize(size);
  if (bytes < MIN_DISK) {
    throw volumeError("VOLUME_INVALID", `size ${size} of a disk is below ${MIN_DISK} bytes`);
  }
  return { kind: "disk", size: bytes };
}

function hostFolder(given: {
  readonly type: string;
  readonly o: string;
  readonly device: string | undefined;
}): VolumeKind {
  const words = given.o.split(",").filter((word) => word !== "");
  const known = words.every((word) => ["bind", "rbind", "ro", "rw"].includes(word));
  const isBind = words.some((word) => word === "bind" || word === "rbind");
  if (!["none", "bind", ""].includes(given.type) || !known || !isBind) {
    throw volumeError(
      "VOLUME_INVALID",
      `a volume of type ${JSON.stringify(given.type.slice(0, 40))} with o=${given.o.slice(0, 80)} is not supported`,
      {
        hint: "there are plain volumes, -o type=disk -o size=SIZE, and -o type=none -o o=bind -o device=PATH",
      },
    );
  }
  if (!given.device?.startsWith("/") || given.device.includes("\0")) {
    throw volumeError("VOLUME_INVALID", `device ${given.device ?? '""'} is no absolute path`);
  }
  return { kind: "device", path: given.device, readOnly: words.includes("ro") };
}

/** `10G`, as docker/go-units RAMInBytes takes it. */
function parseSize(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) {
    throw volumeError("VOLUME_INVALID", `invalid size: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const [, digits = "", unit = ""] = match;
  return Math.trunc(Number(digits) * 1024 ** " kmgtp".indexOf(unit.toLowerCase() || " "));
}
