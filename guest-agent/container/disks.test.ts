import assert from "node:assert/strict";
import { test } from "node:test";
import { MS_RDONLY } from "../linux/mount.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { SyscallError } from "../syscalls/syscalls.ts";
import { Disks } from "./disks.ts";

function machine() {
  const recording = new RecordingSyscalls()
    .file("/sys/block/vda/serial", "image-1\n")
    .file("/sys/block/vdb/serial", "a-serial-of-20-bytes")
    .folder("/sys/block/loop0")
    .folder("/run/disks");
  return { recording, disks: new Disks(recording.sys, "/run/disks") };
}

test("a disk is found by its serial and mounted once for all its users", () => {
  const { recording, disks } = machine();
  const use = { serial: "image-1", type: "erofs" } as const;
  assert.equal(disks.acquire(use), "/run/disks/image-1");
  assert.equal(disks.acquire(use), "/run/disks/image-1");
  const mount = {
    source: "/dev/vda",
    target: "/run/disks/image-1",
    type: "erofs",
    flags: MS_RDONLY,
  };
  assert.deepEqual(recording.made("mount"), [["mount", mount]]);
  disks.release("image-1");
  assert.deepEqual(recording.made("umount2"), []);
  disks.release("image-1");
  assert.deepEqual(recording.made("umount2"), [["umount2", "/run/disks/image-1", 0]]);
  assert.ok(!recording.files.has("/run/disks/image-1"));
});

test("of a longer serial the device keeps twenty bytes", () => {
  const { recording, disks } = machine();
  disks.acquire({ serial: "a-serial-of-20-bytes-and-more", type: "ext4" });
  const target = "/run/disks/a-serial-of-20-bytes-and-more";
  assert.deepEqual(recording.made("mount"), [
    [
      "mount",
      {
        source: "/dev/vdb",
        target,
        type: "ext4",
        flags: 0,
        data: "noinit_itable,no_prefetch_block_bitmaps",
      },
    ],
  ]);
});

test("an unknown serial and one that is no name are refused and leave nothing", () => {
  const { recording, disks } = machine();
  const before = [...recording.files.keys()];
  assert.throws(
    () => disks.acquire({ serial: "none", type: "ext4" }),
    /no disk with the serial none/,
  );
  for (const serial of ["../x", "", "a,b", "a:b", "a/b"]) {
    assert.throws(() => disks.acquire({ serial, type: "ext4" }), { code: "CONTAINER_SPEC" });
  }
  assert.deepEqual([...recording.files.keys()], before);
});

test("a mount that fails leaves no folder and can be tried again", () => {
  const { recording, disks } = machine();
  recording.fail("mount", "EINVAL");
  assert.throws(() => disks.acquire({ serial: "image-1", type: "erofs" }), /EINVAL/);
  assert.ok(!recording.files.has("/run/disks/image-1"));
  assert.equal(disks.acquire({ serial: "image-1", type: "erofs" }), "/run/disks/image-1");
});

test("a busy disk is taken away once its last user is gone", () => {
  const { recording, disks } = machine();
  disks.acquire({ serial: "image-1", type: "erofs" });
  recording.fail("umount2", "EBUSY");
  disks.release("image-1");
  assert.deepEqual(
    recording.made("umount2").map(([, , flags]) => flags),
    [0, 2],
  );
});

/** A machine with a controller of disks that come later. */
function pluggable() {
  const { recording, disks } = machine();
  recording.folder("/sys/class/scsi_host/host0").file("/sys/class/scsi_host/host0/scan", "");
  return { recording, disks };
}

/** SCSI's page of a serial: type, number, length, text. */
const page = (serial: string) => `\0\x80\0${String.fromCharCode(serial.length)}${serial}`;

test("a disk that is being plugged in is waited for, and given up with its last use", () => {
  const { recording, disks } = pluggable();
  let looks = 0;
  recording.on("poll", () => {
    if (++looks === 3) {
      recording
        .folder("/sys/block/sda")
        .file("/sys/block/sda/device/vpd_pg80", page("plugged"))
        .file("/sys/block/sda/device/delete", "");
    }
    return [];
  });
  disks.acquire({ serial: "plugged", type: "ext4" });
  assert.equal(looks, 3);
  assert.match(JSON.stringify(recording.made("mount")), /"source":"\/dev\/sda"/);
  assert.equal(recording.text("/sys/block/sda/device/delete"), "");
  disks.release("plugged");
  assert.equal(recording.text("/sys/block/sda/device/delete"), "1");
});

test("a controller whose news got lost is asked, and a disk that never comes is refused", () => {
  const { recording, disks } = pluggable();
  recording.on("poll", () => []);
  assert.throws(
    () => disks.acquire({ serial: "never", type: "ext4" }),
    /no disk with the serial never/,
  );
  assert.equal(recording.text("/sys/class/scsi_host/host0/scan"), "- - -");
});

const NO_DEVICE = new SyscallError("write", 19, "ENODEV");

/** A machine without a controller, but with places: the first has a device, the others are filled later. */
function withPlaces() {
  const { recording, disks } = machine();
  const driver = "/sys/bus/platform/drivers/virtio-mmio";
  recording
    .folder(`${driver}/virtio-mmio.0`)
    .file(`${driver}/bind`, "")
    .file(`${driver}/unbind`, "");
  for (const place of [0, 1, 2]) {
    recording.folder(`/sys/bus/platform/devices/virtio-mmio.${place}`);
  }
  return { recording, disks };
}

/** What was written to the settings of a name that ends so, one after the other. */
function written(recording: RecordingSyscalls, name: string): string[] {
  let path = "";
  return recording.made("open", "write").flatMap(([call, subject, bytes]) => {
    if (call === "open") path = String(subject);
    if (call === "open" || !path.endsWith(name)) return [];
    return [new TextDecoder().decode(bytes as Uint8Array)];
  });
}

test("an empty place is filled by binding it, and left with the disk's last use", () => {
  const { recording, disks } = withPlaces();
  const links = new Map([["/sys/block/vdc", "../devices/x/virtio-mmio.2/virtio9/block/vdc"]]);
  recording.on("readlink", (path) => links.get(path) ?? "../devices/x/virtio-mmio.0/y");
  recording.on("write", (_, bytes) => {
    if (new TextDecoder().decode(bytes).endsWith(".1")) throw NO_DEVICE;
    recording.file("/sys/block/vdc/serial", "plugged");
    return bytes.length;
  });
  disks.acquire({ serial: "plugged", type: "ext4" });
  assert.deepEqual(written(recording, "/bind"), ["virtio-mmio.1", "virtio-mmio.2"]);
  assert.match(JSON.stringify(recording.made("mount")), /"source":"\/dev\/vdc"/);
  disks.acquire({ serial: "image-1", type: "erofs" });
  disks.release("image-1");
  assert.deepEqual(written(recording, "/unbind"), []);
  disks.release("plugged");
  assert.deepEqual(written(recording, "/unbind"), ["virtio-mmio.2"]);
});

test("a disk that is in none of the places is refused at once", () => {
  const { recording, disks } = withPlaces();
  recording.on("write", () => {
    throw NO_DEVICE;
  });
  assert.throws(() => disks.acquire({ serial: "never", type: "ext4" }), /no disk with the serial/);
});
