import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmptySlot } from "../devices/virtio/empty-slot.ts";
import { TestDriver } from "../devices/virtio/test-driver.ts";
import { DiskSlots } from "./disk-slots.ts";
import { TestSystem } from "./test-system.ts";
import type { VmmDisk } from "./vmm-config.ts";

const SECTOR = 512;
const DEVICE_ID = 8;
const NEEDS_RESET = 0x40;

function machine(places: number) {
  const system = new TestSystem();
  const closed: number[] = [];
  system.close = (fd) => {
    closed.push(fd);
    return 0;
  };
  const drivers = Array.from({ length: places }, () => new TestDriver(new EmptySlot(), system));
  const slots = new DiskSlots(
    system,
    drivers.map(({ transport }) => transport),
  );
  const ids = () => drivers.map((driver) => driver.read(DEVICE_ID));
  const fileOf = (byte: number) => system.file(new Uint8Array(8 * SECTOR).fill(byte));
  const raw = (serial: string, fd: number): VmmDisk => {
    const source = { kind: "raw", fd } as const;
    return { serial, readOnly: false, disposable: false, source };
  };
  return { system, closed, drivers, slots, ids, fileOf, raw };
}

/** Reads the first sector. */
function read(driver: TestDriver): Uint8Array | undefined {
  return driver.request(0, [new Uint8Array(16), SECTOR, 1])?.answer.slice(0, SECTOR);
}

const sectorOf = (byte: number) => new Uint8Array(SECTOR).fill(byte);

describe("the places of disks that come to a running machine", () => {
  it("are devices that a driver passes over until there is a disk, and again when it has gone", () => {
    const { slots, ids, drivers, closed, fileOf, raw } = machine(2);
    const [driver] = drivers;
    assert.ok(driver);
    assert.deepEqual(ids(), [0, 0]);
    const one = fileOf(1);
    assert.equal(slots.plug([raw("one", one)]), undefined);
    assert.deepEqual(ids(), [2, 0]);
    driver.start();
    assert.deepEqual(read(driver), sectorOf(1));
    slots.unplug(["one"]);
    assert.deepEqual(ids(), [0, 0]);
    assert.deepEqual(closed, [one]);
  });

  it("serve the next disk as they served the first", () => {
    const { slots, drivers, fileOf, raw } = machine(1);
    const [driver] = drivers;
    assert.ok(driver);
    for (const byte of [1, 2, 3]) {
      assert.equal(slots.plug([raw("disk", fileOf(byte))]), undefined);
      driver.start();
      assert.deepEqual(read(driver), sectorOf(byte));
      slots.unplug(["disk"]);
    }
  });

  it("take all disks that come together, or none", () => {
    const { slots, ids, closed, fileOf, raw } = machine(2);
    const files = [1, 2, 3].map(fileOf);
    const disks = files.map((fd, index) => raw(`disk-${index}`, fd));
    assert.match(slots.plug(disks) ?? "", /no place for 3 further disks/);
    assert.deepEqual(ids(), [0, 0]);
    assert.deepEqual(closed, files);
  });

  it("take none of those that come with a file that is no disk", () => {
    const { slots, ids, closed, fileOf, raw } = machine(2);
    const [good, bad] = [fileOf(1), fileOf(2)];
    const source = { kind: "qcow2", fd: bad } as const;
    const refusal = slots.plug([raw("good", good), { ...raw("bad", bad), source }]);
    assert.match(refusal ?? "", /qcow2/);
    assert.deepEqual(ids(), [0, 0]);
    assert.deepEqual(closed, [good, bad]);
  });

  it("keep a file open until the last of its disks has gone", () => {
    const { slots, closed, fileOf, raw } = machine(2);
    const shared = fileOf(1);
    slots.plug([raw("one", shared), raw("two", shared)]);
    slots.unplug(["one"]);
    assert.deepEqual(closed, []);
    slots.unplug(["two", "never there"]);
    assert.deepEqual(closed, [shared]);
  });

  it("hear nothing of a driver that goes on with a disk that was taken away", () => {
    const { slots, drivers, system, fileOf, raw } = machine(1);
    const [driver] = drivers;
    assert.ok(driver);
    slots.plug([raw("one", fileOf(1))]);
    driver.start();
    system.preadv = () => assert.fail("the file is not ours any more");
    slots.unplug(["one"]);
    assert.equal(driver.request(0, [new Uint8Array(16), SECTOR, 1]), undefined);
    driver.setStatus(15);
    assert.equal(driver.request(0, [new Uint8Array(16), SECTOR, 1]), undefined);
    assert.deepEqual(driver.broken, ["empty slot: DRIVER_OK without FEATURES_OK"]);
    assert.equal(driver.status & NEEDS_RESET, NEEDS_RESET);
  });

  it("hold one limit for all disks that came with it", () => {
    const { slots, drivers, fileOf, raw } = machine(2);
    const limits = { read: { operationsPerSecond: 1 } };
    slots.plug([1, 2].map((byte) => ({ ...raw(`disk-${byte}`, fileOf(byte)), limits })));
    for (const driver of drivers) driver.start();
    const answers = drivers.map(read);
    assert.deepEqual(answers, [sectorOf(1), undefined]);
  });
});
