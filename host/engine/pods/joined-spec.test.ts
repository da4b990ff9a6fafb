import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { containerSpec } from "../container-spec.ts";
import { PLAIN_CONFIG } from "../test-engine.ts";
import { joinedDisks, joinedSpec, withSharesOf } from "./joined-spec.ts";

const id = "0123456789abcdef".repeat(4);
const file = { kind: "file", path: "/d", format: "raw" } as const;
const names = ["dvm-image", "dvm-upper", "dvm-volume-0", "dvm-device-0", "dvm-swap"];
const disks = names.map((serial) => ({
  serial,
  readOnly: false,
  source: file,
}));

describe("a container in another one's machine", () => {
  it("has disks of its own serials, and a specification that names them", () => {
    const config = { ...PLAIN_CONFIG, network: "container:web" };
    const mount = { destination: "/v", type: "disk", source: "dvm-volume-0", options: [] } as const;
    const access = { read: true, write: false };
    const device = {
      path: "/dev/d",
      device: { kind: "disk", serial: "dvm-device-0" },
      access,
    } as const;
    const swap = { serial: "dvm-swap", swappiness: 5 };
    const spec = { ...containerSpec(id, config), mounts: [mount], devices: [device], swap };
    const joined = joinedSpec(id, { spec, disks, config });
    const serials = joinedDisks(id, disks).map(({ serial }) => serial);
    assert.equal(new Set(serials).size, names.length);
    for (const serial of serials) assert.match(serial, /^0123456789ab[\w.-]{1,8}$/);
    const { imageSerial, upper } = joined.rootfs;
    const upperSerial = "serial" in upper ? upper.serial : "";
    const [image, container, volume, disk, swapped] = serials;
    const found = [imageSerial, upperSerial, joined.mounts[0]?.source];
    assert.deepEqual(found, [image, container, volume]);
    assert.deepEqual(joined.devices?.[0]?.device, { kind: "disk", serial: disk });
    assert.deepEqual(joined.swap, { ...swap, serial: swapped });
    assert.deepEqual(joined.joins, { network: "web" });
  });
});

describe("withSharesOf", () => {
  const wanted = (path: string, readOnly: boolean) => ({
    disks: [],
    shares: [{ name: "s0", path, readOnly }],
    specs: [{ destination: "/x", type: "virtiofs", source: "s0", options: [] } as const],
  });
  const shares = [
    { name: "s0", path: "/other", readOnly: true },
    { name: "s1", path: "/data", readOnly: false },
    { name: "s2", path: "/data", readOnly: true },
  ];

  it("finds the folder among what the machine has", () => {
    assert.equal(withSharesOf(wanted("/data", false), shares).specs[0]?.source, "s1");
    assert.equal(withSharesOf(wanted("/data", true), shares).specs[0]?.source, "s2");
    const writable = shares.slice(0, 2);
    assert.equal(withSharesOf(wanted("/data", true), writable).specs[0]?.source, "s1");
  });

  it("refuses one that it has not, and writing where the machine may only read", () => {
    for (const mounts of [wanted("/new", true), wanted("/other", false)]) {
      assert.throws(() => withSharesOf(mounts, shares), { code: "MOUNT_UNSUPPORTED" });
    }
  });
});
