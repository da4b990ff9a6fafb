/** What is to be known of a saved machine before a QEMU reads it. */

import { VmmError } from "../errors.ts";
import { isObject } from "./qmp-message.ts";
import type { MemoryKind } from "./template-arguments.ts";

/** Raised when machines are saved or made in another way. */
const FORMAT = 2;

export interface SavedFormat {
  /** of the QEMU that has saved it */
  readonly version: string;
  readonly memory: MemoryKind;
}

export function savedFormat(saved: SavedFormat): string {
  return JSON.stringify({ format: FORMAT, ...saved });
}

/** @throws {VmmError} VMM_UNSUPPORTED for a machine that no QEMU of ours has saved */
export function readFormat(text: string): SavedFormat {
  const value = parse(text);
  if (isObject(value) && value.format === FORMAT) {
    const { version, memory } = value;
    const isMemory = memory === "backend" || memory === "machine";
    if (typeof version === "string" && isMemory) return { version, memory };
  }
  throw new VmmError("VMM_UNSUPPORTED", `QEMU cannot go on with ${text.slice(0, 100)}`);
}

/** Devices are saved as their version of QEMU has them. @throws {VmmError} VMM_UNSUPPORTED */
export function checkVersion(text: string, version: string): void {
  const saved = readFormat(text);
  if (saved.version === version) return;
  throw new VmmError(
    "VMM_UNSUPPORTED",
    `the machine was saved by QEMU ${saved.version}, and this is ${version}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
