/** Pulls by several at once, pulls that are killed, and pulls onto a full disk, from a real registry. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { LoadEvent } from "../load-image.ts";
import {
  noRegistry,
  type RealRegistry,
  startRegistry,
  tool,
} from "../test-support/real-registry.ts";
import { pullInto, testSession } from "../test-support/registry-world.ts";
import { layer, names, one, three, two, World } from "../test-support/world.ts";

const PROGRAM = fileURLToPath(new URL("../test-support/load-in-process.ts", import.meta.url));
const big = layer("big", "0123456789abcdef".repeat(200_000));

/** A registry with an image of four layers. */
async function serve(world: World): Promise<RealRegistry & { readonly image: string }> {
  const registry = await startRegistry(world.path("registry"));
  const layout = world.layout();
  layout.list(layout.image({ layers: [one, two, three, big] }), { tag: "v1" });
  const image = `${registry.host}/image:v1`;
  await tool(
    "skopeo",
    "copy",
    "--dest-tls-verify=false",
    `oci:${layout.path}:v1`,
    `docker://${image}`,
  );
  return { ...registry, image };
}

describe("a registry's image", { skip: noRegistry }, () => {
  test("is got once when two pull it at once", async () => {
    using world = new World();
    await using registry = await serve(world);
    const store = await world.store();
    await using session = testSession();
    const events: LoadEvent[] = [];
    const onEvent = (event: LoadEvent) => events.push(event);
    const both = await Promise.all(
      [1, 2].map(() => pullInto(store, registry.image, session, { onEvent })),
    );
    for (const image of both) await image[Symbol.asyncDispose]();
    assert.equal((await store.layers.list()).length, 4);
    assert.equal((await store.list()).length, 1);
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });

  test("is whole when several processes pull it and one of them is killed meanwhile", async () => {
    using world = new World();
    await using registry = await serve(world);
    const victim = spawn(
      process.execPath,
      [PROGRAM, registry.image, world.path("store"), "layer-progress"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(victim.stdout, "data");
    const pulls = Array.from({ length: 3 }, () =>
      promisify(execFile)(process.execPath, [PROGRAM, registry.image, world.path("store")]),
    );
    victim.kill("SIGKILL");
    await once(victim, "close");
    const ids = new Set((await Promise.all(pulls)).map(({ stdout }) => stdout));
    assert.equal(ids.size, 1);
    const store = await world.store();
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
    assert.equal((await store.layers.list()).length, 4);
    assert.deepEqual((await store.prune()).layers, []);
    await using image = await store.hold(registry.image);
    assert.equal(image?.layers.length, 4);
  });

  for (const moment of ["image", "layer-progress", "layer-done"])
    test(`leaves nothing of a pull that was killed at its first ${moment}, and the next one succeeds`, async () => {
      using world = new World();
      await using registry = await serve(world);
      const child = spawn(
        process.execPath,
        [PROGRAM, registry.image, world.path("store"), moment],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "close");
      const store = await world.store();
      assert.deepEqual(readdirSync(world.path("store/tmp")), []);
      assert.deepEqual(await store.list(), []);
      // A layer that was complete is in the store, and nobody's.
      await store.prune();
      assert.deepEqual(await store.layers.list(), []);
      await using session = testSession();
      await using image = await pullInto(store, registry.image, session);
      assert.deepEqual(names(image), ["one", "two", "three", "big"]);
    });

  test("says that the disk is full, leaves it as it was, and comes when there is room", {
    skip: process.getuid?.() !== 0 && "needs root",
  }, async () => {
    using world = new World();
    await using registry = await serve(world);
    mkdirSync(world.path("store"));
    await tool("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", world.path("store"));
    try {
      const store = await world.store();
      await using session = testSession();
      await assert.rejects(pullInto(store, registry.image, session), { code: "STORE_FULL" });
      assert.deepEqual(readdirSync(world.path("store/tmp")), []);
      assert.deepEqual(await store.list(), []);
      writeFileSync(world.path("store/kept"), "so much is left");
      await tool("mount", "-o", "remount,size=16m", world.path("store"));
      await using image = await pullInto(store, registry.image, session);
      assert.equal(image.layers.length, 4);
    } finally {
      await tool("umount", world.path("store"));
    }
  });
});
