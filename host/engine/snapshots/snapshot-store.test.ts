import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { ContainerRecord } from "../container-record.ts";
import { readSnapshotMeta, SNAPSHOT_VERSION, type SnapshotMeta } from "./snapshot-meta.ts";
import { SnapshotStore } from "./snapshot-store.ts";

const root = mkdtempSync(join(tmpdir(), "dvm-snapshots-"));
after(() => rmSync(root, { recursive: true }));
const folder = join(root, "snapshots");

function metaOf(id: string, name: string): SnapshotMeta {
  const nowhere = { attachments: [], ports: [] };
  return {
    version: SNAPSHOT_VERSION,
    id,
    name,
    created: `2026-01-01T00:00:0${name.length}Z`,
    record: {} as ContainerRecord,
    run: {
      generation: 1,
      inGuest: "a",
      stdio: {},
      offsets: { stdout: 0, stderr: 0 },
      networks: nowhere,
      isPaused: false,
      format: "",
    },
  };
}

describe("SnapshotStore", () => {
  const store = new SnapshotStore(root);

  it("has none where none was made", () => {
    assert.deepEqual(store.list(), []);
    assert.deepEqual(store.sweep(), []);
  });

  it("keeps what was finished, and nothing of what was not", () => {
    using kept = store.draft();
    writeFileSync(kept.memory, "memory");
    kept.keep(metaOf(kept.id, "kept"));
    {
      using draft = store.draft();
      writeFileSync(draft.memory, "memory");
    }
    assert.deepEqual(
      store.list().map(({ name }) => name),
      ["kept"],
    );
    assert.ok(existsSync(store.files(kept.id).memory));
    assert.deepEqual(readdirSync(folder), [kept.id]);
  });

  it("tells the newest first, and leaves out what makes no sense", () => {
    using newer = store.draft();
    newer.keep(metaOf(newer.id, "newer"));
    using torn = store.draft();
    torn.keep(metaOf(torn.id, "torn-one"));
    writeFileSync(join(folder, torn.id, "snapshot.json"), "{");
    using moved = store.draft();
    moved.keep({ ...metaOf(moved.id, "moved-one"), id: "another" });
    assert.deepEqual(
      store.list().map(({ name }) => name),
      ["newer", "kept"],
    );
  });

  it("sweeps away what a process left that was killed", () => {
    const { id } = store.draft();
    assert.deepEqual(store.sweep(), [id]);
    assert.ok(!readdirSync(folder).some((name) => name.startsWith("new-")));
  });
});

describe("readSnapshotMeta", () => {
  it("reads its own version and nothing else", () => {
    const meta = metaOf("i", "n");
    assert.deepEqual(readSnapshotMeta(JSON.stringify(meta)), meta);
    const others = [null, 1, {}, { ...meta, version: 0 }, { ...meta, run: undefined }];
    for (const other of others) assert.equal(readSnapshotMeta(JSON.stringify(other)), undefined);
  });
});
