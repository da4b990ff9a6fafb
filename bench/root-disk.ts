/**
 * A root disk from a large gzip-compressed Debian image, from nothing, beside `gzip -dc` of the same layers.
 *
 * usage: node bench/root-disk.ts [RUNS]
 */

import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { ImageStore } from "../host/image/image-store.ts";
import { loadImage } from "../host/image/load-image.ts";
import { parseReference } from "../host/image/reference.ts";
import { openFileSource } from "../host/image/source/open-file-source.ts";
import { makeRootDisk } from "../host/rootfs/root-disk.ts";
import { buildImage } from "../images/build-image.ts";
import { debianLarge } from "../images/debian-large/recipe.ts";
import { describeEnvironment } from "./environment.ts";
import { runCommand } from "./measure/command.ts";
import { interleave } from "./measure/interleave.ts";
import { IMAGES } from "./paths.ts";
import { report } from "./report.ts";

const runs = Number(process.argv[2] ?? 5);
const environment = await describeEnvironment();
const layout = await buildImage(debianLarge, {
  outDirectory: IMAGES,
  cacheDirectory: join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/images"),
  onProgress: (text) => process.stderr.write(`bench: ${text}\n`),
});
const blobs = join(layout, "blobs/sha256");
const sizes = await Promise.all(
  (await readdir(blobs)).map(async (name) => ({
    path: join(blobs, name),
    size: (await stat(join(blobs, name))).size,
  })),
);
const layers = sizes.filter(({ size }) => size > 2 ** 20);
process.stderr.write(
  `bench: ${layers.length} layer(s), ${layers.reduce((sum, { size }) => sum + size, 0)} bytes compressed\n`,
);

const comparison = await interleave(
  [
    {
      name: "gzip -dc of the layers",
      once: async () => {
        let sum = 0;
        for (const { path } of layers)
          sum += (await runCommand("sh", ["-c", 'gzip -dc < "$0" > /dev/null', path])).milliseconds;
        return sum;
      },
    },
    { name: "image to root disk", once: () => convert(layout) },
  ],
  runs,
);
await report("root-disk", { environment, unit: "ms", ...comparison });

/** Loads the image into a new store and makes its root disk. */
async function convert(from: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
  try {
    const started = performance.now();
    const store = await ImageStore.open(join(folder, "store"));
    const reference = parseReference(`oci:${from}`);
    if (reference.transport === "registry") throw new Error(`${from} was taken for a name`);
    await using source = await openFileSource(reference, folder);
    await using image = await loadImage(source, { store });
    await makeRootDisk({ layers: image.layers, directory: join(folder, "disks") });
    return performance.now() - started;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
