import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkLayers } from "./check-layers.ts";
import type { Layer, LayerEntry } from "./entry.ts";

const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNanoseconds: 0 };

function file(path: string, xattr = 0): LayerEntry {
  const xattrs = new Map(xattr === 0 ? [] : [["user.x", new Uint8Array(xattr)]]);
  return { ...attributes, xattrs, type: "file", path, size: 0, data: [] };
}

function layer(entries: () => readonly LayerEntry[]): Layer {
  return {
    diffId: "sha256:x",
    dataPath: "/none",
    dataLength: 0,
    get entries() {
      return entries();
    },
  };
}

describe("the layers of an image", () => {
  it("are refused when together they would fill the memory, before all are read", () => {
    let read = 0;
    const layers = Array.from({ length: 10 }, () =>
      layer(() => {
        read++;
        return [file("a"), file("b")];
      }),
    );
    assert.throws(() => checkLayers(layers, 1000), { code: "ROOTFS_TOO_LARGE" });
    assert.equal(read, 3);
    checkLayers(layers, 10_000);
  });

  it("count with the attributes of their files", () => {
    const one = [layer(() => [file("a", 5000)])];
    assert.throws(() => checkLayers(one, 5000), { code: "ROOTFS_TOO_LARGE" });
    checkLayers(one, 6000);
  });
});
