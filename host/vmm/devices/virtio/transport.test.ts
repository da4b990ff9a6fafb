import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestSystem } from "../../kvm/test-system.ts";
import { VirtioBalloon } from "./balloon.ts";
import { VirtioRng } from "./rng.ts";
import { TestDriver } from "./test-driver.ts";

const NEEDS_RESET = 0x40;

function rng(): TestDriver {
  const system = new TestSystem();
  return new TestDriver(new VirtioRng(system), system);
}

test("identifies itself as a virtio-mmio device of version 2", () => {
  const driver = rng();
  assert.equal(driver.read(0x000), 0x74726976);
  assert.equal(driver.read(0x004), 2);
  assert.equal(driver.read(0x008), 4);
});

test("fills the entropy driver's buffer", () => {
  const driver = rng();
  driver.start();
  assert.equal(driver.status, 15);
  const chain = driver.request(0, [64]);
  assert.equal(chain?.written, 64);
  assert.ok(chain?.answer.every((byte) => byte === 0x5a));
  assert.equal(driver.interrupts(), 1);
  assert.equal(driver.read(0x60), 1);
  driver.write(0x64, 1);
  assert.equal(driver.read(0x60), 0);
});

test("does not accept features that it did not offer, nor a driver without VERSION_1", () => {
  const driver = rng();
  driver.setStatus(3);
  driver.write(0x24, 0);
  driver.write(0x20, 1 << 7);
  driver.write(0x24, 1);
  driver.write(0x20, 1);
  driver.setStatus(11);
  assert.equal(driver.status, 3);
  driver.setStatus(0);
  driver.setStatus(3);
  driver.setStatus(11);
  assert.equal(driver.status, 3);
});

test("needs a reset when DRIVER_OK comes without FEATURES_OK", () => {
  const driver = rng();
  driver.setStatus(4);
  assert.equal(driver.status & NEEDS_RESET, NEEDS_RESET);
});

test("needs a reset after a bad ring, tells the driver, and works again after it", () => {
  const driver = rng();
  driver.start();
  driver.interrupts();
  driver.setDescriptor(0, 0, { address: 2n ** 63n, length: 16, flags: 2, next: 0 });
  driver.offer(0, 0);
  driver.kick();
  assert.equal(driver.status, 15 | NEEDS_RESET);
  assert.equal(driver.interrupts(), 1);
  assert.equal(driver.read(0x60), 2);
  assert.match(driver.broken[0] ?? "", /^rng: no guest memory at 0x8000000000000000/);
  driver.kick(); // stays quiet until its reset
  assert.equal(driver.broken.length, 1);

  driver.setStatus(0);
  assert.equal(driver.status, 0);
  driver.write(0x30, 0);
  assert.equal(driver.read(0x44), 0);
});

test("a driver cannot clear NEEDS_RESET by writing the status", () => {
  const driver = rng();
  driver.setStatus(4);
  driver.setStatus(1);
  assert.equal(driver.status & NEEDS_RESET, NEEDS_RESET);
});

test("a queue that does not exist reads as zero and takes no writes", () => {
  const driver = rng();
  driver.write(0x30, 7);
  driver.write(0x38, 4);
  assert.equal(driver.read(0x34), 0);
  assert.equal(driver.read(0x44), 0);
});

test("configuration space beyond its end reads as zeros, and is written only where the device allows", () => {
  const system = new TestSystem();
  const driver = new TestDriver(new VirtioBalloon(system), system);
  driver.start();
  driver.write(0x104, 5);
  driver.write(0x100, 77);
  assert.equal(driver.read(0x104), 5);
  assert.equal(driver.read(0x100), 0);
  assert.equal(driver.read(0x1fc), 0);
  assert.equal(driver.read(0xffc), 0);
});

test("any sequence of register accesses leaves the device answering", () => {
  const access = fc.record({
    offset: fc.oneof(fc.nat(0x110), fc.nat(0xfff)),
    value: fc.oneof(fc.nat(0x80), fc.nat(0xffffffff)),
    length: fc.constantFrom(1, 2, 4, 4, 4, 8),
    isWrite: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
      const driver = rng();
      for (const { offset, value, length, isWrite } of accesses) {
        const data = new Uint8Array(length);
        new DataView(data.buffer).setUint8(0, value & 0xff);
        if (length >= 4) new DataView(data.buffer).setUint32(0, value, true);
        if (isWrite) driver.registers.write(offset, data);
        else driver.registers.read(offset, data);
      }
      driver.setStatus(0);
      driver.start();
      assert.equal(driver.request(0, [8])?.written, 8);
    }),
    { numRuns: 500 },
  );
});
