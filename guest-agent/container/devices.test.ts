import assert from "node:assert/strict";
import { test } from "node:test";
import { makedev, S_IFCHR } from "../linux/stat.ts";
import type { ContainerSpec, DeviceSpec } from "../protocol/container-spec.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { givenDevices, makeGivenDevices } from "./devices.ts";
import { Disks } from "./disks.ts";

const READ = { read: true, write: false };
const TUN: DeviceSpec = {
  path: "/dev/net/tun",
  access: READ,
  device: { kind: "character", major: 10, minor: 200 },
};

const given = (devices: DeviceSpec[]) => {
  const { sys } = new RecordingSyscalls();
  // nothing else of the specification counts here
  return givenDevices(sys, new Disks(sys, "/disks"), { devices } as unknown as ContainerSpec);
};

test("a device is a node and the right to open it, no more than was asked for", () => {
  const { nodes, rules } = given([TUN]);
  assert.deepEqual(nodes, [{ name: "net/tun", type: S_IFCHR, device: makedev(10, 200) }]);
  assert.deepEqual(rules, [{ type: "character", major: 10, minor: 200, access: READ }]);
});

test("a path that leads out of /dev is refused", () => {
  for (const path of ["/etc/x", "/dev", "/dev/../etc/x", "/dev/\0"]) {
    assert.throws(() => given([{ ...TUN, path }]), { code: "CONTAINER_SPEC" });
  }
});

test("nodes are made with the folders that they are in; what is there already stays", () => {
  const recording = new RecordingSyscalls().folder("/root/dev/net");
  const node = { type: S_IFCHR, device: 1 };
  makeGivenDevices(recording.sys, "/root/dev", [
    { ...node, name: "net/tun" },
    { ...node, name: "a/b/c" },
  ]);
  const made = recording.calls.filter(([call]) => call === "mkdir" || call === "mknod");
  assert.deepEqual(
    made.map(([call, path]) => [call, path]),
    [
      ["mkdir", "/root/dev/net"],
      ["mknod", "/root/dev/net/tun"],
      ["mkdir", "/root/dev/a"],
      ["mkdir", "/root/dev/a/b"],
      ["mknod", "/root/dev/a/b/c"],
    ],
  );
});
