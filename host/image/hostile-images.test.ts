/** Hostile images all the way from their source to a root disk: one clear error, or what the kernel would do. */
import assert from "node:assert/strict";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeRootDisk } from "../rootfs/root-disk.ts";
import { DEFAULT_LAYER_LIMITS } from "./layer/limits.ts";
import { OCI_INDEX, OCI_MANIFEST } from "./media-type.ts";
import type { TestLayer } from "./test-support/image-builder.ts";
import { gnuLong, tarMember, tarStream } from "./test-support/tar-builder.ts";
import { load, one, World } from "./test-support/world.ts";

/** Loads an image of one layer and makes its root disk. @returns number of entries */
async function toDisk(world: World, layer: TestLayer, limits = {}): Promise<number> {
  const layout = world.layout();
  layout.list(layout.image({ layers: [layer] }));
  const options = { limits: { ...DEFAULT_LAYER_LIMITS, ...limits } };
  await using image = await load(`oci:${layout.path}`, await world.store(), options);
  await makeRootDisk({ layers: image.layers, directory: world.path("disks") });
  return image.layers[0]?.entries.length ?? 0;
}

describe("a hostile layer", () => {
  test("of 100,000 entries becomes a root disk", async () => {
    using world = new World();
    const members = Array.from({ length: 100_000 }, (_, n) =>
      tarMember({ name: `f/${n}`, type: "0" }),
    );
    const tar = Buffer.concat([...members, Buffer.alloc(1024)]);
    assert.equal(await toDisk(world, { tar, blob: gzipSync(tar, { level: 1 }) }), 100_000);
  });

  test("that names one file many times becomes a root disk", async () => {
    using world = new World();
    const tar = tarStream(
      ...Array.from({ length: 1000 }, (_, n) => ({ name: "same", data: `${n}` })),
    );
    await toDisk(world, { tar });
  });

  test("with a device stays what it is: the guest's own affair", async () => {
    using world = new World();
    await toDisk(world, {
      tar: tarStream({ name: "dev/kvm", type: "3" }, { name: "dev/mem", type: "3" }),
    });
    assert.deepEqual(readdirSync(world.folder.path).sort(), ["disks", "layout", "store"]);
  });

  const refused: readonly [string, string, TestLayer, object?][] = [
    [
      "hard links in a circle",
      "ROOTFS_BAD_ENTRY",
      { tar: tarStream({ name: "a", type: "1", link: "b" }, { name: "b", type: "1", link: "a" }) },
    ],
    [
      "a name of 4,096 bytes",
      "LAYER_ENTRY_REFUSED",
      { tar: tarStream(gnuLong("L", `${"n/".repeat(2047)}nn`), { name: "x" }) },
    ],
    ["a bomb past the size limit", "LAYER_LIMIT_EXCEEDED", bomb(), { unpacked: 4 * 2 ** 20 }],
    [
      "a bomb past the ratio limit",
      "LAYER_LIMIT_EXCEEDED",
      bomb(),
      { ratio: 100, ratioFrom: 2 ** 20 },
    ],
    ["a whiteout of ..", "LAYER_ENTRY_REFUSED", { tar: tarStream({ name: "a/.wh..." }) }],
  ];
  for (const [what, code, layer, limits] of refused) {
    test(`with ${what} is refused and leaves no disk behind`, async () => {
      using world = new World();
      await assert.rejects(toDisk(world, layer, limits), { code });
      assert.deepEqual(readdirSync(world.path("store/tmp")), []);
      assert.equal(readdirSync(world.folder.path).includes("disks"), false);
    });
  }
});

describe("a hostile layout", () => {
  test("with a manifest of 100 MB is refused, whatever size its descriptor states", async () => {
    for (const size of [100_000_000, 300]) {
      using world = new World();
      const layout = world.layout();
      const image = layout.image({ layers: [one] });
      truncateSync(layout.blobPath(image.digest), 100_000_000);
      layout.list({ ...image, size });
      await assert.rejects(load(`oci:${layout.path}`, await world.store()), {
        code: "MANIFEST_INVALID",
      });
    }
  });

  test("with a config that is not JSON is refused", async () => {
    using world = new World();
    const layout = world.layout();
    const config = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      ...layout.blob(Buffer.from("#!/bin/sh")),
    };
    layout.list(layout.document(OCI_MANIFEST, { schemaVersion: 2, config, layers: [] }));
    await assert.rejects(load(`oci:${layout.path}`, await world.store()), {
      code: "MANIFEST_INVALID",
    });
  });

  test("with an empty index is refused", async () => {
    using world = new World();
    const layout = world.layout();
    writeFileSync(
      `${layout.path}/index.json`,
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }),
    );
    await assert.rejects(load(`oci:${layout.path}`, await world.store()), {
      code: "IMAGE_NOT_FOUND",
    });
  });
});

/** Eight megabytes of zeros in a few kilobytes. */
function bomb(): TestLayer {
  const tar = tarStream({ name: "zeros", data: Buffer.alloc(8 * 2 ** 20) });
  return { tar, blob: gzipSync(tar) };
}
