import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDeviceBps, parseDeviceIops } from "./device-rate.ts";

test("a rate is a size a second, or a number of operations", () => {
  assert.deepEqual(parseDeviceBps("/dev/sda:1mb"), { path: "/dev/sda", rate: 1024 ** 2 });
  assert.deepEqual(parseDeviceIops("/dev/sda:100"), { path: "/dev/sda", rate: 100 });
});

test("what Docker refuses is refused in its words", () => {
  assert.throws(() => parseDeviceBps("/dev/sda"), /^Error: bad format: \/dev\/sda$/);
  assert.throws(() => parseDeviceBps("sda:1mb"), /^Error: bad format for device path/);
  for (const text of ["/dev/sda:0", "/dev/sda:x", "/dev/sda:-1"]) {
    assert.throws(() => parseDeviceBps(text), /^Error: invalid rate for device/, text);
    assert.throws(() => parseDeviceIops(text), /^Error: invalid rate for device/, text);
  }
});
