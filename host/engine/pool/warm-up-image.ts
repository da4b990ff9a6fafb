/** The image of the container that a machine runs once before it is anybody's: a root with one program (warm-up.c). */

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layer } from "../../rootfs/entry.ts";
import type { Extent } from "../../rootfs/extent.ts";
import { makeRootDisk } from "../../rootfs/root-disk.ts";
import { WARM_UP_BINARY } from "../artifacts.ts";

/** Path of the program in the image. */
export const WARM_UP_PROGRAM = "/warm-up";

/** What stands behind the program in its file, in `bytes`: pages to come in. */
const TAIL = 1024 * 1024;
/** Layer data comes in blocks of this many `bytes`. */
const BLOCK = 4096;

const OWNED = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNanoseconds: 0,
  xattrs: new Map<string, Buffer>(),
} as const;

/** Makes it in `folder` unless it is there. @returns its root disk */
export async function warmUpImage(folder: string): Promise<readonly Extent[]> {
  const program = await readFile(WARM_UP_BINARY);
  const data = Buffer.concat([program, Buffer.alloc((-program.length & (BLOCK - 1)) + TAIL)]);
  const digest = createHash("sha256").update(data).digest("hex");
  const dataPath = join(folder, `warm-up-${digest.slice(0, 16)}`);
  if (!existsSync(dataPath)) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const draft = `${dataPath}.${randomBytes(6).toString("hex")}`;
    await writeFile(draft, data, { mode: 0o600 });
    await rename(draft, dataPath);
  }
  const layer: Layer = {
    diffId: `sha256:${digest}`,
    dataPath,
    dataLength: data.length,
    entries: [
      // what images have, too, and containers write in
      { ...OWNED, path: "etc", type: "directory" },
      {
        ...OWNED,
        path: WARM_UP_PROGRAM.slice(1),
        type: "file",
        size: data.length,
        data: [{ fileOffset: 0, dataOffset: 0, length: data.length }],
      },
    ],
  };
  const directory = join(folder, "warm-up-disk");
  return (await makeRootDisk({ layers: [layer], directory, mountPoints: true })).extents;
}
