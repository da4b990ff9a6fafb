/** Several processes at one store. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { layer, load, names, one, simple, two, World } from "./test-support/world.ts";

const SESSIONS = fileURLToPath(new URL("./test-support/sessions-in-process.ts", import.meta.url));
const PROGRAM = fileURLToPath(new URL("./test-support/load-in-process.ts", import.meta.url));

describe("a store that several processes share", () => {
  test("gets each layer once when they load the same image at once", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, layer("big", "x".repeat(6_000_000)), two] }));
    const reference = `oci:${layout.path}`;
    const runs = Array.from({ length: 3 }, () =>
      promisify(execFile)(process.execPath, [PROGRAM, reference, world.path("store")]),
    );
    const outputs = (await Promise.all(runs)).map(({ stdout }) => stdout);
    assert.match(outputs[0] ?? "", /^sha256:/);
    assert.equal(new Set(outputs).size, 1);
    const store = await world.store();
    assert.equal((await store.layers.list()).length, 3);
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });

  test("has nothing of a process that was killed, and leaves the living alone", async () => {
    using world = new World();
    const reference = simple(world);
    const child = spawn(
      process.execPath,
      [PROGRAM, reference, world.path("store"), "layer-progress"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    try {
      await once(child.stdout, "data");
      const store = await world.store();
      assert.equal(readdirSync(world.path("store/tmp")).length, 1);
      assert.deepEqual((await store.prune()).layers, []);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    const store = await world.store();
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
    assert.deepEqual(await store.layers.list(), []);
    await using image = await load(reference, store);
    assert.deepEqual(names(image), ["one"]);
  });

  test("is swept by each while the others begin and end their work", async () => {
    using world = new World();
    const runs = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [SESSIONS, world.path("store"), "60"]),
    );
    await Promise.all(runs);
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });
});
