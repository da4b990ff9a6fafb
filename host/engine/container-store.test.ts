import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeContainerId } from "./container-name.ts";
import { type ContainerRecord, RECORD_VERSION } from "./container-record.ts";
import { ContainerStore } from "./container-store.ts";
import { EMPTY_RUN, PLAIN_CONFIG } from "./test-engine.ts";

const OTHER = (process.getuid?.() ?? 0) + 1;

function open() {
  const folder = mkdtempSync(join(tmpdir(), "dvm-store-"));
  const store = new ContainerStore(folder);
  const make = (wanted: string | undefined, owner?: number): ContainerRecord => {
    const id = makeContainerId();
    const name = store.reserve(id, wanted, owner);
    const record: ContainerRecord = {
      version: RECORD_VERSION,
      id,
      name,
      created: new Date().toISOString(),
      config: PLAIN_CONFIG,
      image: { name: "busybox", manifestDigest: "sha256:0", run: EMPTY_RUN },
      state: { status: "created", oomKilled: false },
      ...(owner === undefined ? {} : { owner }),
    };
    store.write(record);
    return record;
  };
  return { store, make, [Symbol.dispose]: () => rmSync(folder, { recursive: true }), folder };
}

test("a name is one container's among those of its owner", () => {
  using at = open();
  const { id } = at.make("web");
  assert.throws(() => at.make("web"), { code: "NAME_TAKEN", message: new RegExp(id) });
  assert.equal(at.make("web", OTHER).name, "web");
  assert.throws(() => at.make("web", OTHER), { code: "NAME_TAKEN" });
  assert.equal(at.store.resolve("web"), id);
  assert.equal(at.store.ids().length, 2);
});

test("a name is free again once its container is renamed or removed", () => {
  using at = open();
  for (const owner of [undefined, OTHER]) {
    const record = at.make("one", owner);
    at.store.rename(record, "two");
    const next = at.make("one", owner);
    assert.throws(() => at.store.rename(next, "two"), { code: "NAME_TAKEN" });
    at.store.remove(record.id);
    at.store.rename(next, "two");
    at.store.remove(next.id);
  }
  assert.deepEqual(at.store.ids(), []);
  assert.deepEqual(readdirSync(join(at.folder, "names")), []);
  assert.deepEqual(readdirSync(join(at.folder, "names-of", `${OTHER}`)), []);
});

test("a name whose container was never finished is given away", () => {
  using at = open();
  const id = makeContainerId();
  at.store.reserve(id, "web");
  assert.deepEqual(at.store.orphans(), [id]);
  rmSync(at.store.folder(id), { recursive: true });
  assert.equal(at.make("web").name, "web");
});
