import assert from "node:assert/strict";
import { test } from "node:test";
import { TestSystem } from "../../kvm/test-system.ts";
import { fuse_in_header, fuse_init_in, fuse_opcode } from "../fs/fuse.ts";
import { FuseServer } from "../fs/fuse-server.ts";
import { VirtioFs } from "./fs.ts";
import { TestDriver } from "./test-driver.ts";

function setUp() {
  const system = new TestSystem();
  const driver = new TestDriver(new VirtioFs(new FuseServer(system, []), "dvm"), system);
  driver.start();
  return driver;
}

function request(opcode: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(fuse_in_header.size + body.length);
  bytes.set(body, fuse_in_header.size);
  new DataView(bytes.buffer).setUint32(fuse_in_header.opcode, opcode, true);
  return bytes;
}

function init(): Uint8Array {
  const view = new DataView(new ArrayBuffer(fuse_init_in.size));
  view.setUint32(fuse_init_in.major, 7, true);
  view.setUint32(fuse_init_in.minor, 37, true);
  return request(fuse_opcode.FUSE_INIT, new Uint8Array(view.buffer));
}

test("shows its tag and one queue for requests", () => {
  const driver = setUp();
  const bytes = new Uint8Array(40);
  driver.registers.read(0x100, bytes);
  assert.equal(Buffer.from(bytes.subarray(0, 4)).toString(), "dvm\0");
  assert.equal(new DataView(bytes.buffer).getUint32(36, true), 1);
});

test("answers a request however the driver cut it", () => {
  const driver = setUp();
  const whole = init();
  const used = driver.request(1, [
    whole.slice(0, 7),
    whole.slice(7, 50),
    whole.slice(50),
    16,
    10,
    54,
  ]);
  const answer = new DataView(used?.answer.buffer ?? new ArrayBuffer(0));
  assert.deepEqual(
    [answer.getUint32(0, true), answer.getInt32(4, true), used?.written],
    [80, 0, 80],
  );
});

test("gives a request that wants no answer back empty", () => {
  const driver = setUp();
  const used = driver.request(0, [request(fuse_opcode.FUSE_FORGET, new Uint8Array(8))]);
  assert.equal(used?.written, 0);
  assert.equal(driver.status & 0x40, 0);
});

test("needs a reset when a request has no header or its answer no room", () => {
  for (const parts of [
    [new Uint8Array(39), 80],
    [init(), 79],
  ]) {
    const driver = setUp();
    driver.request(1, parts);
    assert.equal(driver.status & 0x40, 0x40);
  }
});
