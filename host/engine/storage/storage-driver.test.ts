import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStorageDriver, settleStorage, storageDriverOf } from "./storage-driver.ts";

test("a container has the driver that it asks for, else its daemon's, else overlay", () => {
  assert.equal(storageDriverOf(settleStorage({}, "overlay")), "overlay");
  assert.equal(storageDriverOf(settleStorage({}, "block")), "block");
  assert.equal(storageDriverOf(settleStorage({ storageDriver: "reflink" }, "block")), "reflink");
  assert.equal(storageDriverOf(settleStorage({ storageDriver: "overlay" }, "block")), "overlay");
});

test("a folder as root is virtiofs whatever the daemon's driver is", () => {
  const settled = settleStorage({ rootfs: "/folder" }, "block");
  assert.equal(storageDriverOf(settled), "virtiofs");
});

test("refuses what contradicts itself, with what to do", () => {
  const refused: [Parameters<typeof settleStorage>[0], RegExp][] = [
    [{ rootfs: "/f", storageDriver: "block" }, /cannot be stored by block/],
    [{ storageDriver: "virtiofs" }, /takes a folder, not an image/],
    [{ rootfs: "/f", storageSize: 2 ** 30 }, /no size of its own/],
    [{ rootfs: "/f", userNamespace: "private" }, /no private user namespace/],
  ];
  for (const [config, message] of refused) {
    assert.throws(() => settleStorage(config, "overlay"), {
      code: "STORAGE_INVALID",
      message,
      hint: /./,
    });
  }
});

test("names the drivers that there are to whoever asks for another", () => {
  assert.equal(parseStorageDriver("block"), "block");
  assert.throws(() => parseStorageDriver("devicemapper"), {
    message: /"devicemapper"/,
    hint: /overlay, block, reflink, virtiofs/,
  });
});
