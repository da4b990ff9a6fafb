import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { mergeLayers } from "../../rootfs/merge.ts";
import { digestOf } from "../digest.ts";
import type { LoadedImage } from "../load-image.ts";
import { parseNamed } from "../reference.ts";
import { tarStream } from "../test-support/tar-builder.ts";
import { load, one, World } from "../test-support/world.ts";
import { type CommitLayerOptions, commitLayer } from "./commit-layer.ts";

const folders = {
  tar: tarStream(
    { name: "kept/", type: "5" },
    { name: "kept/a", data: "a" },
    { name: "kept/b", data: "b" },
    { name: "emptied/", type: "5" },
    { name: "emptied/old", data: "old" },
  ),
};
/** What the agent sends of a container that removed `kept/a`, made `emptied` anew and wrote `new`. */
const changed = tarStream(
  { name: "emptied/", type: "5" },
  { name: "emptied/.wh..wh..opq" },
  { name: "emptied/young", data: "young" },
  { name: "kept/", type: "5" },
  { name: "kept/.wh.a" },
  { name: "new", data: "new" },
);

async function commit(
  world: World,
  tar: Buffer,
  options: Partial<CommitLayerOptions> = {},
): Promise<LoadedImage> {
  const layout = world.layout();
  const history = [{ created_by: "ADD one" }, { created_by: "ADD folders" }];
  layout.list(layout.image({ layers: [one, folders], config: { history } }), { tag: "base" });
  const store = await world.store();
  await using base = await load(`oci:${layout.path}:base`, store, { tag: parseNamed("base") });
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < tar.length; at += 700) yield tar.subarray(at, at + 700);
  }
  return await commitLayer(chunks(), {
    store,
    base: base.manifestDigest,
    section: {},
    changes: [],
    author: "",
    message: "",
    name: undefined,
    ...options,
  });
}

/** Paths of files and folders of the merged image. */
function paths(image: LoadedImage): string[] {
  const found: string[] = [];
  const walk = (node: ReturnType<typeof mergeLayers>, prefix: string): void => {
    for (const [name, child] of node.children) {
      found.push(prefix + name);
      if (child.type === "directory") walk(child, `${prefix}${name}/`);
    }
  };
  walk(mergeLayers(image.layers), "");
  return found.sort();
}

describe("a committed layer", () => {
  test("stands above the image's own, which stay as they are, and hides what was removed", async () => {
    using world = new World();
    await using image = await commit(world, changed, { name: parseNamed("made:1") });
    assert.deepEqual(
      image.layers.map(({ diffId }) => diffId),
      [one.tar, folders.tar, changed].map((tar) => digestOf(tar)),
    );
    assert.deepEqual(paths(image), ["emptied", "emptied/young", "kept", "kept/b", "new", "one"]);
    const store = await world.store();
    assert.equal((await store.get("made:1"))?.imageId, image.imageId);
  });

  test("brings the container's settings, the changes asked for, and a step of history", async () => {
    using world = new World();
    await using image = await commit(world, changed, {
      section: { Cmd: ["sleep", "9"], Env: ["A=b"] },
      changes: ["USER 7", "ENV C=d", "LABEL k=v"],
      author: "Ada",
      message: "as it was",
    });
    const { cmd, env, user, labels } = image.config.run;
    // The image's own are PATH and the command `true`.
    assert.deepEqual([cmd, env, user], [["sleep", "9"], ["PATH=/bin", "A=b", "C=d"], "7"]);
    assert.deepEqual({ ...labels }, { k: "v" });
    assert.deepEqual(
      image.config.history.map(({ createdBy, comment, author, emptyLayer }) => [
        createdBy,
        comment,
        author,
        emptyLayer,
      ]),
      [
        ["ADD one", undefined, undefined, false],
        ["ADD folders", undefined, undefined, false],
        ["sleep 9", "as it was", "Ada", false],
      ],
    );
  });

  test("of a container with an entrypoint of its own has not the image's command", async () => {
    using world = new World();
    await using image = await commit(world, changed, { section: { Entrypoint: ["/sh"] } });
    const { cmd, entrypoint } = image.config.run;
    assert.deepEqual([entrypoint, cmd], [["/sh"], []]);
  });

  test("of no changes is none: the image has a step of history more", async () => {
    using world = new World();
    await using image = await commit(world, Buffer.alloc(1024));
    assert.equal(image.layers.length, 2);
    assert.deepEqual(
      image.config.history.map(({ emptyLayer }) => emptyLayer),
      [false, false, true],
    );
  });

  test("that is no tar, or with a change that is none, is refused and leaves nothing", async () => {
    using world = new World();
    await assert.rejects(commit(world, Buffer.alloc(4096, "x")), { code: "LAYER_CORRUPT" });
    await assert.rejects(commit(world, changed, { changes: ["FROM x"] }), {
      code: "CHANGE_INVALID",
    });
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
    assert.equal((await (await world.store()).list()).length, 1);
  });
});
