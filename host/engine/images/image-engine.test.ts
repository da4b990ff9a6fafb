import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ImageStore } from "../../image/image-store.ts";
import { parseNamed } from "../../image/reference.ts";
import { noRegistry, startRegistry } from "../../image/test-support/real-registry.ts";
import { layer, load, one, two, World } from "../../image/test-support/world.ts";
import { ImageEngine } from "./image-engine.ts";

const FORCE = { force: true } as const;
const GENTLE = { force: false } as const;

/** An engine with an image of two layers under two names, and one that shares a layer with it. */
async function engineIn(world: World): Promise<{ engine: ImageEngine; store: ImageStore }> {
  const layout = world.layout();
  layout.list(layout.image({ layers: [one, two] }), { tag: "a" });
  layout.list(layout.image({ layers: [one, layer("three")] }), { tag: "b" });
  const store = await ImageStore.open(join(world.path("data"), "images"));
  await using _a = await load(`oci:${layout.path}:a`, store, { tag: parseNamed("x/a:1") });
  await using _b = await load(`oci:${layout.path}:b`, store, { tag: parseNamed("x/b:1") });
  const engine = await ImageEngine.open(world.path("data"));
  await engine.tag("x/a:1", "x/a:2");
  return { engine, store };
}

describe("images", () => {
  test("are listed once with all of their names, and found by the beginning of their ID", async () => {
    using world = new World();
    const { engine } = await engineIn(world);
    const list = await engine.list();
    assert.deepEqual(list.map(({ names }) => names).sort(), [
      ["docker.io/x/a:1", "docker.io/x/a:2"],
      ["docker.io/x/b:1"],
    ]);
    const { id } = await engine.find("x/a:2");
    assert.equal((await engine.find(id.slice(7, 19))).id, id);
    await assert.rejects(engine.find("x/c"), {
      code: "IMAGE_NOT_FOUND",
      message: "No such image: x/c:latest",
    });
  });

  test("lose one name at a time, and go with the last; what they share stays", async () => {
    using world = new World();
    const { engine, store } = await engineIn(world);
    const { id } = await engine.find("x/a:1");
    assert.deepEqual(await engine.remove("x/a:1", GENTLE), {
      untagged: ["x/a:1"],
      deleted: [],
      reclaimed: 0,
      changes: [{ id, action: "untag" }],
    });
    const last = await engine.remove("x/a:2", GENTLE);
    assert.deepEqual(last.untagged, ["x/a:2"]);
    assert.equal(last.deleted[0], id);
    assert.equal(last.deleted.length, 2);
    assert.equal((await store.layers.list()).length, 2);
  });

  test("with several names are removed by their ID only by force", async () => {
    using world = new World();
    const { engine } = await engineIn(world);
    const { id } = await engine.find("x/a:1");
    await assert.rejects(engine.remove(id, GENTLE), { code: "IMAGE_IN_USE", exitCode: 1 });
    assert.deepEqual((await engine.remove(id, FORCE)).untagged, ["x/a:1", "x/a:2"]);
  });

  test("that a container uses stay: their names only go by force, their layers not at all", async () => {
    using world = new World();
    const { engine, store } = await engineIn(world);
    const image = await store.get("x/b:1");
    assert.ok(image);
    await store.lease("c0ffee", image);
    await assert.rejects(engine.remove("x/b:1", GENTLE), {
      code: "IMAGE_IN_USE",
      message: /container c0ffee is using/,
    });
    assert.deepEqual((await engine.prune({ all: true })).untagged, ["x/a:1", "x/a:2"]);
    await engine.remove("x/b:1", FORCE);
    assert.equal((await store.layers.list()).length, 2);
    await store.release("c0ffee");
    await engine.prune({ all: false });
    assert.deepEqual(await store.layers.list(), []);
  });

  test("that are at work cannot be removed even by force", async () => {
    using world = new World();
    const { engine, store } = await engineIn(world);
    await using _ = await store.hold("x/b:1");
    await assert.rejects(engine.remove("x/b:1", FORCE), { code: "IMAGE_IN_USE" });
  });

  test("that lost their name to another are kept without one until the next prune", async () => {
    using world = new World();
    const { engine } = await engineIn(world);
    const { id } = await engine.find("x/b:1");
    await engine.tag("x/a:1", "x/b:1");
    assert.deepEqual((await engine.find(id)).names, []);
    const { deleted } = await engine.prune({ all: false });
    assert.equal(deleted[0], id);
    assert.equal((await engine.list()).length, 1);
  });

  test("tell what they take on disk, each layer once", async () => {
    using world = new World();
    const { engine } = await engineIn(world);
    const { layers, images } = await engine.diskUsage();
    assert.equal(layers, 3 * 4096);
    assert.deepEqual(
      images.map(({ shared, unique }) => [shared, unique]),
      [
        [4096, 4096],
        [4096, 4096],
      ],
    );
  });

  test("of a repository are pushed and pulled all at once", { skip: noRegistry }, async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const { engine } = await engineIn(world);
    const request = { onProgress: () => {} };
    const repository = `${registry.host}/all`;
    await assert.rejects(engine.pushAll(repository, request), { code: "IMAGE_NOT_FOUND" });
    await engine.tag("x/a:1", `${repository}:1`);
    await engine.tag("x/b:1", `${repository}:2`);
    const pushed = await engine.pushAll(repository, request);
    assert.deepEqual(pushed.map(({ tag }) => tag).sort(), ["1", "2"]);
    const other = await ImageEngine.open(world.path("other"));
    const pulled = await other.pullAll(repository, request);
    assert.deepEqual(pulled.map(({ name }) => name).sort(), [`${repository}:1`, `${repository}:2`]);
    assert.equal((await other.list()).length, 2);
  });
});
