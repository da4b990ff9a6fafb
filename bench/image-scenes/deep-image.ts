/** An image with many layers, as an archive of docker save: busybox, and a folder in each layer. */

import { createHash } from "node:crypto";
import { copyFile, link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../measure/command.ts";

const PROGRAMS = ["sh", "ls", "cut", "seq", "mkdir", "sync", "true", "cat"];

/** Makes it in `folder`, tagged `deep`. @returns the archive's path */
export async function deepImage(
  folder: string,
  size: { readonly layers: number; readonly files: number },
): Promise<string> {
  const archive = join(folder, "deep");
  await mkdir(archive);
  const digests: string[] = [];
  for (let layer = 0; layer < size.layers; layer++) {
    const content = join(folder, "layer");
    await mkdir(join(content, "layers", `${layer}`), { recursive: true });
    if (layer === 0) await addPrograms(content);
    for (let file = 0; file < size.files; file++) {
      await writeFile(join(content, "layers", `${layer}`, `${file}`), `${layer} ${file}\n`);
    }
    const tar = join(archive, `${layer}.tar`);
    await runCommand("tar", ["-C", content, "-cf", tar, "."]);
    digests.push(
      `sha256:${createHash("sha256")
        .update(await readFile(tar))
        .digest("hex")}`,
    );
    await rm(content, { recursive: true });
  }
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: digests },
  };
  const Layers = digests.map((_, layer) => `${layer}.tar`);
  const manifest = [{ Config: "config.json", RepoTags: ["deep:latest"], Layers }];
  await writeFile(join(archive, "config.json"), JSON.stringify(config));
  await writeFile(join(archive, "manifest.json"), JSON.stringify(manifest));
  await runCommand("tar", ["-C", archive, "-cf", `${archive}.tar`, "."]);
  return `${archive}.tar`;
}

async function addPrograms(content: string): Promise<void> {
  const bin = join(content, "bin");
  await mkdir(bin);
  await copyFile("/bin/busybox", join(bin, "busybox"));
  for (const name of PROGRAMS) await link(join(bin, "busybox"), join(bin, name));
}
