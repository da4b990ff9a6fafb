/** The busybox image as one raw file, for a QEMU that is run by hand. */

import { createReadStream, createWriteStream } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ImageStore } from "../../host/image/image-store.ts";
import { loadImage } from "../../host/image/load-image.ts";
import { openFileSource } from "../../host/image/source/open-file-source.ts";
import { makeRootDisk } from "../../host/rootfs/root-disk.ts";
import type { DiskConfig } from "../../host/vmm/hypervisor.ts";

/** Joins the root disk's extents into one file of `folder`. @param layout path of an OCI image layout */
export async function imageDisk(layout: string, folder: string): Promise<DiskConfig> {
  const store = await ImageStore.open(join(folder, "store"));
  const reference = { transport: "oci", path: layout, image: undefined } as const;
  await using source = await openFileSource(reference, folder);
  await using image = await loadImage(source, { store });
  const { extents } = await makeRootDisk({
    layers: image.layers,
    directory: join(folder, "disks"),
  });
  const path = join(folder, "image.raw");
  let size = 0;
  for (const extent of extents) {
    if (extent.kind === "file") {
      const range = { start: extent.offset, end: extent.offset + extent.length - 1 };
      const out = createWriteStream(path, { flags: size === 0 ? "w" : "r+", start: size });
      await pipeline(createReadStream(extent.path, range), out);
    }
    size += extent.length;
  }
  await truncate(path, size);
  return { serial: "image", readOnly: true, source: { kind: "file", path, format: "raw" } };
}
