/** What layers must keep to as a whole before they are merged: bounds that no single layer can break. */

import type { Layer, LayerEntry } from "./entry.ts";
import { rootfsError } from "./errors.ts";

/**
 * Most memory that the entries of an image may take, in `bytes` by the estimate of `weightOf`: some four million
 * plain ones. Each layer has a bound of its own, but an image may have a thousand layers.
 */
const MAX_WEIGHT = 2 ** 30;
/** An entry without names, attributes and data, and one run of data, in `bytes`. */
const ENTRY_WEIGHT = 200;
const RUN_WEIGHT = 64;

/**
 * Reads the entries of one layer after the other, so that those of a hostile image are not all in memory when it
 * is refused.
 *
 * @throws ROOTFS_TOO_LARGE, ROOTFS_BAD_DATA
 */
export function checkLayers(layers: readonly Layer[], maxWeight = MAX_WEIGHT): void {
  let weight = 0;
  for (const layer of layers) {
    for (const entry of layer.entries) {
      weight += weightOf(entry);
      if (entry.type === "file") checkDataRuns(layer, entry);
    }
    if (weight > maxWeight) {
      throw rootfsError(
        "ROOTFS_TOO_LARGE",
        `the image's ${layers.length} layers have more entries than ${maxWeight} bytes of memory hold`,
      );
    }
  }
}

function weightOf(entry: LayerEntry): number {
  let weight = ENTRY_WEIGHT + entry.path.length;
  for (const value of entry.xattrs.values()) weight += ENTRY_WEIGHT + value.length;
  if ("target" in entry) weight += entry.target.length;
  return entry.type === "file" ? weight + entry.data.length * RUN_WEIGHT : weight;
}

/** No file may show what lies beyond its layer's data: a damaged layer index is the store's fault, not the guest's. */
function checkDataRuns({ diffId, dataLength }: Layer, { data }: LayerEntry & { type: "file" }) {
  for (const { dataOffset, length } of data) {
    if (dataOffset >= 0 && dataOffset + length <= dataLength) continue;
    throw rootfsError(
      "ROOTFS_BAD_DATA",
      `run of ${length} bytes at ${dataOffset} lies outside the ${dataLength} bytes of layer ${diffId}`,
    );
  }
}
