import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { digestOf, hexOf } from "./digest.ts";
import { parseNamed } from "./reference.ts";
import { load, names, one, simple, three, two, World } from "./test-support/world.ts";

describe("ImageStore", () => {
  test("finds a tagged image by name and by the beginning of its ID", async () => {
    using world = new World();
    const store = await world.store();
    await using image = await load(simple(world), store, { tag: parseNamed("thing:v1") });
    for (const text of [
      "thing:v1",
      "docker.io/library/thing:v1",
      image.imageId,
      hexOf(image.imageId),
      hexOf(image.imageId).slice(0, 12),
    ])
      assert.equal((await store.get(text))?.imageId, image.imageId);
    assert.equal(await store.get("thing"), undefined);
    const again = await world.store();
    assert.equal((await again.get(`thing@${image.manifestDigest}`))?.layers.length, 1);
    assert.equal(await store.untag(parseNamed("thing:v1")), true);
    assert.equal(await store.untag(parseNamed("thing:v1")), false);
    assert.equal(await store.get("thing:v1"), undefined);
  });

  test("prunes what nobody needs, and nothing else", async () => {
    using world = new World();
    const store = await world.store();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, two] }), { tag: "tagged" });
    layout.list(layout.image({ layers: [one, three] }), { tag: "leased" });
    const open = async (tag: string): ReturnType<typeof load> =>
      load(`oci:${layout.path}:${tag}`, store);
    const tagged = await open("tagged");
    await store.tag(tagged, parseNamed("tagged"));
    await tagged[Symbol.asyncDispose]();
    {
      await using held = await open("leased");
      assert.deepEqual((await store.prune()).layers, []);
      await store.lease("container-1", held);
    }
    assert.deepEqual((await store.prune()).layers, []);
    await store.release("container-1");
    assert.deepEqual(
      (await store.prune()).layers.map(({ diffId }) => diffId),
      [digestOf(three.tar)],
    );
    assert.deepEqual((await store.get("tagged"))?.layers.length, 2);
    assert.equal((await store.blobs.list()).length, 2);
    await store.untag(parseNamed("tagged"));
    assert.equal((await store.prune()).layers.length, 2);
    assert.deepEqual(await store.blobs.list(), []);
  });

  test("refuses a list of images that is damaged", async () => {
    using world = new World();
    const store = await world.store();
    writeFileSync(world.path("store/images.json"), '{"version":1,"images":[{"name":1}]}');
    await assert.rejects(store.list(), { code: "STORE_CORRUPT" });
  });

  test("clears away what a dead process left, and leaves what a live one holds", async () => {
    using world = new World();
    const store = await world.store();
    await using session = await store.beginSession([]);
    mkdirSync(world.path("store/tmp/dead/half-a-layer"), { recursive: true });
    await world.store();
    assert.deepEqual(readdirSync(world.path("store/tmp")), [session.path.split("/").at(-1)]);
  });

  test("clears away files that a dead process was writing when it prunes", async () => {
    using world = new World();
    const store = await world.store();
    for (const folder of ["", "blobs/sha256/", "leases/"])
      writeFileSync(world.path(`store/${folder}x.0123456789ab.tmp`), "half");
    await store.prune();
    assert.deepEqual(readdirSync(world.path("store")).sort(), [
      "blobs",
      "layers",
      "leases",
      "lock",
      "tmp",
    ]);
    for (const folder of ["blobs/sha256", "leases"])
      assert.deepEqual(readdirSync(world.path(`store/${folder}`)), []);
  });

  test("takes one layer from many at once", async () => {
    using world = new World();
    const text = simple(world);
    const images = await Promise.all(
      Array.from({ length: 8 }, async () => load(text, await world.store())),
    );
    for (const image of images) {
      assert.deepEqual(names(image), ["one"]);
      await image[Symbol.asyncDispose]();
    }
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });
});
