import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { digestOf } from "../../image/digest.ts";
import { ImageStore } from "../../image/image-store.ts";
import { parseNamed } from "../../image/reference.ts";
import { layer, load, one, two, World } from "../../image/test-support/world.ts";
import { ImageEngine } from "./image-engine.ts";

const [A, B] = [4242, 4243];

/** Images of the engine's own user, and as two others see them. */
async function open(world: World) {
  const own = await ImageEngine.open(world.path("data"));
  const store = await ImageStore.open(join(world.path("data"), "images"));
  return { own, a: own.for(A), b: own.for(B), store };
}

/** A layout of one image, of which the blobs of `missing` are not there. */
function layoutOf(world: World, name: string, layers: readonly (typeof one)[], missing = false) {
  const layout = world.layout(name);
  layout.list(layout.image({ layers }), { tag: "v" });
  if (missing) for (const { tar, blob } of layers) rmSync(layout.blobPath(digestOf(blob ?? tar)));
  return layout.path;
}

const QUIET = { onProgress: () => {} };

describe("images of several users", () => {
  test("are each user's own: nobody sees, saves, names or removes another's", async () => {
    using world = new World();
    const { own, a, b, store } = await open(world);
    await using _ = await load(`oci:${layoutOf(world, "l", [one])}`, store.for(A), {
      tag: parseNamed("box:1"),
    });
    const { id } = await a.find("box:1");
    assert.deepEqual(await b.list(), []);
    for (const reference of ["box:1", id, id.slice(7, 19)]) {
      const missing = { code: "IMAGE_NOT_FOUND" };
      await assert.rejects(b.find(reference), missing, reference);
      await assert.rejects(b.findListed(reference), missing, reference);
      await assert.rejects(b.tag(reference, "mine:1"), missing, reference);
      await assert.rejects(b.remove(reference, { force: true }), missing, reference);
      const output = new PassThrough();
      output.resume();
      await assert.rejects(b.save([reference], output), missing, reference);
    }
    await assert.rejects(b.push("127.0.0.1:1/box:1", QUIET), { code: "IMAGE_NOT_FOUND" });
    await b.prune({ all: true });
    assert.deepEqual((await a.find("box:1")).id, id);
    const isRoot = process.getuid?.() === 0;
    assert.equal((await own.list()).length, isRoot ? 1 : 0);
  });

  test("have names that another may use too, for something else", async () => {
    using world = new World();
    const { a, b, store } = await open(world);
    const named = { tag: parseNamed("box:1") };
    await using _a = await load(`oci:${layoutOf(world, "l", [one])}`, store.for(A), named);
    await using _b = await load(`oci:${layoutOf(world, "m", [two])}`, store.for(B), named);
    const [of, other] = [await a.find("box:1"), await b.find("box:1")];
    assert.notEqual(of.id, other.id);
    assert.deepEqual(
      [of, other].map(({ names }) => names),
      [["docker.io/library/box:1"], ["docker.io/library/box:1"]],
    );
  });

  test("share a layer that each of them has shown to have, and it is kept once", async () => {
    using world = new World();
    const { a, b, store } = await open(world);
    const both = layoutOf(world, "l", [one, two]);
    await a.load(both, QUIET);
    const [loaded] = await b.load(both, QUIET);
    assert.equal((await store.layers.list()).length, 2);
    await a.remove(loaded?.id ?? "", { force: true });
    assert.equal((await store.layers.list()).length, 2);
    const output = new PassThrough();
    const saved = buffer(output);
    await b.save([loaded?.id ?? ""], output);
    assert.ok((await saved).includes("two"));
  });

  test("do not get a layer by its digest alone", async () => {
    using world = new World();
    const { a, b } = await open(world);
    const secret = layer("secret");
    await a.load(layoutOf(world, "l", [secret]), QUIET);
    const hollow = layoutOf(world, "m", [secret], true);
    await assert.rejects(b.load(hollow, QUIET), { code: "SOURCE_UNREADABLE" });
    assert.deepEqual(await b.list(), []);
    // whoever has it is not asked for it again
    assert.equal((await a.load(hollow, QUIET)).length, 1);
  });

  test("are not kept from removal by another's containers, whose layers stay", async () => {
    using world = new World();
    const { a, b, store } = await open(world);
    const path = layoutOf(world, "l", [one]);
    const [image] = await a.load(path, QUIET);
    await b.load(path, QUIET);
    const held = await store.for(B).get(image?.id ?? "");
    assert.ok(held);
    await store.for(B).lease("b0b", held);
    const counts = (container: string) => container !== "b0b";
    const removed = await a.remove(image?.id ?? "", { force: false, counts });
    assert.equal(removed.deleted[0], image?.id);
    assert.equal((await b.find(image?.id ?? "")).id, image?.id);
    assert.equal((await store.layers.list()).length, 1);
  });
});
