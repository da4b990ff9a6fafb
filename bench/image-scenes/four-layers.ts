/** Images for the image bench, made from the project's own: one of four layers, one that shares three of them, one of many. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../measure/command.ts";
import { IMAGES } from "../paths.ts";

/** Layers of the image of many, and of the one they are compared with. */
export const MANY = 40;

/** Makes a layout with the tags `four`, `sibling`, `one` and `many` in a folder. @returns its path */
export async function makeLayout(folder: string): Promise<string> {
  const layout = join(folder, "layout");
  await Promise.all(
    ["debian", "programs"].map((name) =>
      runCommand("umoci", [
        "unpack",
        "--rootless",
        "--image",
        `${join(IMAGES, name)}:latest`,
        join(folder, name),
      ]),
    ),
  );
  await runCommand("umoci", ["init", "--layout", layout]);
  const programs = join(folder, "programs/rootfs");
  const parts = [
    await pack(folder, { name: "base", root: join(folder, "debian/rootfs"), paths: ["."] }),
    await pack(folder, { name: "lib", root: programs, paths: ["usr/lib"] }),
    await pack(folder, { name: "bin", root: programs, paths: ["usr/bin"] }),
  ];
  const share = await pack(folder, {
    name: "share",
    root: programs,
    paths: ["usr/share", "var", "etc"],
  });
  await mkdir(join(folder, "own/srv"), { recursive: true });
  await writeFile(join(folder, "own/srv/own"), "own\n".repeat(250_000));
  const own = await pack(folder, { name: "own-layer", root: join(folder, "own"), paths: ["srv"] });
  await addImage(layout, "four", [...parts, share]);
  await addImage(layout, "sibling", [...parts, own]);
  await makeManyAndOne(folder, layout);
  return layout;
}

/** Compressed layers of a tag, as files. */
export async function layerFiles(layout: string, tag: string): Promise<readonly string[]> {
  const read = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, "utf8"));
  const blob = (digest: string): string => join(layout, "blobs", digest.replace(":", "/"));
  const index = (await read(join(layout, "index.json"))) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  const entry = index.manifests.find(({ annotations }) => Object.values(annotations).includes(tag));
  if (entry === undefined) throw new Error(`the layout has no ${tag}`);
  const manifest = (await read(blob(entry.digest))) as { layers: { digest: string }[] };
  return manifest.layers.map(({ digest }) => blob(digest));
}

async function pack(
  folder: string,
  {
    name,
    root,
    paths,
  }: { readonly name: string; readonly root: string; readonly paths: readonly string[] },
): Promise<string> {
  const path = join(folder, `${name}.tar`);
  await runCommand("tar", ["--sort=name", "--numeric-owner", "-C", root, "-cf", path, ...paths]);
  return path;
}

async function addImage(layout: string, tag: string, tars: readonly string[]): Promise<void> {
  const image = ["--image", `${layout}:${tag}`];
  await runCommand("umoci", ["new", ...image]);
  for (const tar of tars) await runCommand("umoci", ["raw", "add-layer", ...image, tar]);
  await runCommand("umoci", ["config", ...image, "--config.cmd", "true"]);
}

/** The same files in many layers and in one, as the tags `many` and `one`: busybox and a file for each layer above it. */
export async function makeManyAndOne(folder: string, layout: string): Promise<void> {
  const root = join(folder, "busybox/rootfs");
  await runCommand("umoci", [
    "unpack",
    "--rootless",
    "--image",
    `${join(IMAGES, "busybox")}:latest`,
    join(folder, "busybox"),
  ]);
  const tars = [await pack(folder, { name: "busybox-layer", root, paths: ["."] })];
  await mkdir(join(root, "many"));
  for (let n = 1; n < MANY; n++) {
    await writeFile(join(root, `many/${n}`), `${n}\n`.repeat(10_000));
    tars.push(await pack(folder, { name: `many-${n}`, root, paths: [`many/${n}`] }));
  }
  await addImage(layout, "many", tars);
  await addImage(layout, "one", [await pack(folder, { name: "one-layer", root, paths: ["."] })]);
}
