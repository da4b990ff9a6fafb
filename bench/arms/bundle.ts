/** An image unpacked into a folder by umoci: what plain namespaces and OCI runtimes run. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../measure/command.ts";

/** Device files that any program may count on, by major and minor number (Documentation/admin-guide/devices.txt). */
const DEVICES = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9] };

/** Unpacks `image` into `folder`. @returns the path of the bundle */
export async function unpackBundle(image: string, folder: string): Promise<string> {
  const bundle = join(folder, "bundle");
  await runCommand("umoci", ["unpack", "--image", image, bundle]);
  for (const place of ["proc", "dev", "sys", "tmp"])
    await mkdir(join(bundle, "rootfs", place), { recursive: true });
  return bundle;
}

/** Gives a root that is no container runtime's the device files that a runtime would. */
export async function makeDevices(bundle: string): Promise<void> {
  for (const [name, [major, minor]] of Object.entries(DEVICES)) {
    const path = join(bundle, "rootfs/dev", name);
    await runCommand("rm", ["-f", path]);
    await runCommand("mknod", ["-m", "666", path, "c", `${major}`, `${minor}`]);
  }
}
