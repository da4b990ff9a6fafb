import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDevices, deviceDisks, guestDevices } from "./guest-devices.ts";

const BOTH = { read: true, write: true };
const own = process.getuid?.() ?? 0;
const device = (source: string, path = source) => ({ source, path, access: BOTH });

test("the kernel's devices are the guest's, by their numbers", () => {
  const devices = [device("/dev/fuse"), device("/dev/net/tun", "/dev/tun")];
  checkDevices({ devices }, own);
  assert.deepEqual(guestDevices({ devices }).devices, [
    { path: "/dev/fuse", access: BOTH, device: { kind: "character", major: 10, minor: 229 } },
    { path: "/dev/tun", access: BOTH, device: { kind: "character", major: 10, minor: 200 } },
  ]);
  assert.deepEqual(deviceDisks({ devices }), []);
});

test("a disk of the host is one of the machine's, which the guest finds by its place in the list", () => {
  const devices = [
    device("/dev/null"),
    { ...device("/dev/sdz"), access: { read: true, write: false } },
  ];
  assert.deepEqual(deviceDisks({ devices }), [
    {
      serial: "dvm-device-1",
      readOnly: true,
      source: { kind: "file", path: "/dev/sdz", format: "raw", isDevice: true },
    },
  ]);
  const [, disk] = guestDevices({ devices }).devices ?? [];
  assert.deepEqual(disk?.device, { kind: "disk", serial: "dvm-device-1" });
});

test("without any there is nothing to tell the guest", () => {
  assert.deepEqual(guestDevices({}), {});
});

test("rules are read as the kernel's documentation writes them, and nothing else is", () => {
  const rules = ["c 10:229 rw", "b *:* r", "a *:* rwm"];
  assert.deepEqual(guestDevices({ deviceRules: rules }).deviceRules, [
    { type: "character", major: 10, minor: 229, access: BOTH },
    { type: "block", access: { read: true, write: false } },
    { type: "all", access: BOTH },
  ]);
  for (const rule of [
    "",
    "d 1:1 r",
    "c 1:1",
    "c 1:1 x",
    "c 1:1 r ",
    "c -1:1 r",
    "c 9999999999:1 r",
  ]) {
    assert.throws(() => checkDevices({ deviceRules: [rule] }, own), { code: "CONFIG_INVALID" });
  }
});

test("what no machine has, what is not there and paths elsewhere are refused in words", () => {
  const refused: [Parameters<typeof device>, string, RegExp][] = [
    [["/dev/absent"], "CONFIG_INVALID", /no \/dev\/absent/],
    [["/dev/ptmx"], "NOT_SUPPORTED", /does not reach into a machine/],
    [["/dev/null", "/etc/null"], "CONFIG_INVALID", /below \/dev/],
    [["/dev/null", "/dev/../etc/null"], "CONFIG_INVALID", /below \/dev/],
    [["constructor", "/dev/x"], "CONFIG_INVALID", /no constructor/],
  ];
  for (const [words, code, message] of refused) {
    assert.throws(() => checkDevices({ devices: [device(...words)] }, own), { code, message });
  }
});
