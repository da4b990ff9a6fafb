import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DiskLimits } from "../../hypervisor.ts";
import { TestSystem } from "../../kvm/test-system.ts";
import { ExtentDisk } from "../block/extent-disk.ts";
import { FileTransfer } from "../block/file-transfer.ts";
import { RawDisk } from "../block/raw-disk.ts";
import { DiskLimiter } from "../block/token-bucket.ts";
import { VirtioBlock } from "./block.ts";
import { type Part, TestDriver, type UsedChain } from "./test-driver.ts";

const SECTOR = 512;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

function header(type: number, sector: number | bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return new Uint8Array(view.buffer);
}

function range(sector: number, sectors: number, flags = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
}

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 9)) & 0xff);
}

function rawDisk(limits?: DiskLimits) {
  const system = new TestSystem();
  const fd = system.file(pattern(64 * SECTOR));
  const disk = new RawDisk(new FileTransfer(system), fd);
  const limiter = limits && new DiskLimiter(limits, system.now());
  const block = new VirtioBlock(system, { serial: "upper", disk, limiter });
  const driver = new TestDriver(block, system);
  driver.start();
  const content = (): Uint8Array => system.files.get(fd) ?? new Uint8Array();
  return { system, block, driver, fd, content };
}

const status = (chain: UsedChain | undefined): number | undefined => chain?.answer.at(-1);

test("reads sectors into several buffers", () => {
  const { driver, content } = rawDisk();
  const chain = driver.request(0, [header(0, 3), 100, 2 * SECTOR - 100, 1]);
  assert.equal(status(chain), OK);
  assert.equal(chain?.written, 2 * SECTOR + 1);
  assert.deepEqual(chain?.answer.slice(0, -1), content().slice(3 * SECTOR, 5 * SECTOR));
});

test("writes sectors and flushes", () => {
  const { driver, content, system, fd } = rawDisk();
  const data = new Uint8Array(2 * SECTOR).fill(0xab);
  assert.equal(status(driver.request(0, [header(1, 5), data, 1])), OK);
  assert.deepEqual(content().slice(5 * SECTOR, 7 * SECTOR), data);
  assert.equal(status(driver.request(0, [header(4, 0), 1])), OK);
  assert.deepEqual(system.syncs, [fd]);
});

test("finds header and status however the driver cut the buffers", () => {
  const { driver, content } = rawDisk();
  const start = header(1, 0);
  const data = new Uint8Array(SECTOR).fill(1);
  const parts = [start.slice(0, 5), start.slice(5), data.slice(0, 1), data.slice(1), 1];
  assert.equal(status(driver.request(0, parts)), OK);
  assert.deepEqual(content().slice(0, SECTOR), data);
});

test("refuses reads and writes beyond the end, of partial sectors, and of wrapping sectors", () => {
  const { driver, content } = rawDisk();
  const before = content().slice();
  const bad = [
    driver.request(0, [header(0, 64), SECTOR, 1]),
    driver.request(0, [header(0, 63), 2 * SECTOR, 1]),
    driver.request(0, [header(0, 0), 100, 1]),
    driver.request(0, [header(0, 2n ** 55n), SECTOR, 1]),
    driver.request(0, [header(0, 2n ** 64n - 1n), SECTOR, 1]),
    driver.request(0, [header(1, 64), new Uint8Array(SECTOR), 1]),
    driver.request(0, [header(1, 2n ** 64n - 1n), new Uint8Array(SECTOR), 1]),
  ];
  assert.deepEqual(
    bad.map(status),
    bad.map(() => IOERR),
  );
  assert.deepEqual(content(), before);
});

test("tells its serial number", () => {
  const { driver } = rawDisk();
  const chain = driver.request(0, [header(8, 0), 20, 1]);
  assert.equal(String.fromCharCode(...(chain?.answer.slice(0, 6) ?? [])), "upper\0");
});

test("does not know other request types", () => {
  const { driver } = rawDisk();
  assert.equal(status(driver.request(0, [header(99, 0), 1])), UNSUPP);
});

test("discards and zeroes ranges within the disk, and only those", () => {
  const { driver, system, fd, content } = rawDisk();
  assert.equal(status(driver.request(0, [header(11, 0), range(8, 8), 1])), OK);
  assert.equal(status(driver.request(0, [header(13, 0), range(16, 8, 1), 1])), OK);
  assert.deepEqual(system.punched, [
    { fd, offset: 8 * SECTOR, length: 8 * SECTOR },
    { fd, offset: 16 * SECTOR, length: 8 * SECTOR },
  ]);
  assert.ok(
    content()
      .slice(16 * SECTOR, 24 * SECTOR)
      .every((byte) => byte === 0),
  );
  assert.equal(status(driver.request(0, [header(11, 0), range(60, 8), 1])), IOERR);
  assert.equal(status(driver.request(0, [header(13, 0), range(0, 0xffffffff), 1])), IOERR);
  assert.equal(status(driver.request(0, [header(11, 0), range(0, 8, 1), 1])), UNSUPP);
  assert.equal(status(driver.request(0, [header(13, 0), range(0, 8, 2), 1])), UNSUPP);
  assert.equal(status(driver.request(0, [header(11, 0), new Uint8Array(3), 1])), IOERR);
});

test("needs a reset when a request has no header or no status byte", () => {
  for (const parts of [[new Uint8Array(15), 1], [header(0, 0)]]) {
    const { driver } = rawDisk();
    driver.request(0, parts);
    assert.equal(driver.status & 0x40, 0x40);
  }
});

test("a read-only disk says so and refuses every write", () => {
  const system = new TestSystem();
  const fd = system.file(pattern(8 * SECTOR));
  const disk = new ExtentDisk(new FileTransfer(system), [
    { kind: "file", fd, offset: 0, length: 8 * SECTOR },
  ]);
  const driver = new TestDriver(new VirtioBlock(system, { serial: "root", disk }), system);
  assert.equal(driver.lowFeatures() & (1 << 5), 1 << 5);
  driver.start();
  assert.equal(status(driver.request(0, [header(1, 0), new Uint8Array(SECTOR), 1])), IOERR);
  assert.equal(status(driver.request(0, [header(11, 0), range(0, 8), 1])), IOERR);
  assert.equal(status(driver.request(0, [header(13, 0), range(0, 8), 1])), IOERR);
  assert.deepEqual(system.files.get(fd), pattern(8 * SECTOR));
});

/** Keeps as many requests in the queue as it holds for some seconds of the fake clock; how many are served. */
function servedIn(seconds: number, limits: DiskLimits, parts: () => Part[]): number {
  const { driver, system } = rawDisk(limits);
  const end = system.time + seconds * 1000;
  let served = 0;
  for (let waiting = 0; system.time < end; system.time += 1) {
    for (; waiting < 4; waiting++) driver.add(0, parts());
    driver.kick();
    driver.turn();
    const done = driver.used(0).length;
    driver.rewindBuffers();
    waiting -= done;
    served += done;
  }
  return served;
}

const near = (value: number, wanted: number) =>
  assert.ok(Math.abs(value - wanted) <= wanted * 0.05, `${value}, not about ${wanted}`);

test("limits of operations and of bytes are kept over time, each for its direction", () => {
  const read = () => [header(0, 0), SECTOR, 1];
  const write = () => [header(1, 0), new Uint8Array(SECTOR), 1];
  near(servedIn(20, { read: { operationsPerSecond: 50 } }, read), 1000);
  near(servedIn(20, { read: { bytesPerSecond: 100 * SECTOR } }, read), 2000);
  near(
    servedIn(20, { write: { operationsPerSecond: 50, bytesPerSecond: 20 * SECTOR } }, write),
    400,
  );
  const free = servedIn(1, {}, read);
  assert.equal(servedIn(1, { write: { operationsPerSecond: 1 } }, read), free);
  assert.equal(servedIn(1, { read: { operationsPerSecond: 1 } }, write), free);
});

test("disks that share a limit have it together", () => {
  const limiter = new DiskLimiter({ read: { operationsPerSecond: 50 } }, 0);
  const system = new TestSystem();
  const drivers = ["a", "b"].map((serial) => {
    const disk = new RawDisk(new FileTransfer(system), system.file(pattern(SECTOR)));
    const driver = new TestDriver(new VirtioBlock(system, { serial, disk, limiter }), system);
    driver.start();
    return driver;
  });
  const idle = new Set(drivers);
  let served = 0;
  for (; system.time < 20_000; system.time += 1) {
    for (const driver of drivers) {
      if (idle.delete(driver)) driver.add(0, [header(0, 0), SECTOR, 1]);
      driver.kick();
      if (driver.used(0).length === 0) continue;
      driver.rewindBuffers();
      idle.add(driver);
      served++;
    }
  }
  near(served, 1000);
});

test("a request that waits goes on when the limits are lifted, and others have theirs from then on", () => {
  const { block, driver, system } = rawDisk({ read: { operationsPerSecond: 0.001 } });
  driver.request(0, [header(0, 0), SECTOR, 1]);
  driver.add(0, [header(0, 1), SECTOR, 1]);
  driver.kick();
  driver.kick();
  assert.deepEqual(driver.used(0), []);
  block.limit(undefined);
  driver.turn();
  assert.equal(driver.used(0).length, 1);
  block.limit(new DiskLimiter({ read: { operationsPerSecond: 0.001 } }, system.now()));
  driver.request(0, [header(0, 0), SECTOR, 1]);
  driver.add(0, [header(0, 1), SECTOR, 1]);
  driver.kick();
  driver.kick();
  assert.deepEqual(driver.used(0), []);
});

test("a request that waits is forgotten by a reset", () => {
  const { driver, system, content } = rawDisk({ read: { operationsPerSecond: 10 } });
  const before = content().slice();
  driver.request(0, [header(0, 0), SECTOR, 1]);
  driver.add(0, [header(0, 1), SECTOR, 1]);
  driver.kick();
  driver.kick();
  assert.deepEqual(driver.used(0), []);
  driver.setStatus(0);
  system.time += 1000;
  driver.turn();
  assert.equal(driver.status, 0);
  assert.deepEqual(content(), before);
});

test("an extent list reads as its runs joined, whatever the cuts", () => {
  const extent = fc.oneof(
    fc.record({ kind: fc.constant("zero" as const), length: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      kind: fc.constant("file" as const),
      offset: fc.nat(20),
      length: fc.integer({ min: 1, max: 4 }),
    }),
  );
  const input = fc.record({
    extents: fc.array(extent, { minLength: 1, maxLength: 8 }),
    sector: fc.nat(30),
    sectors: fc.integer({ min: 1, max: 12 }),
    cut: fc.nat(1000),
  });
  fc.assert(
    fc.property(input, ({ extents, sector, sectors, cut }) => {
      const system = new TestSystem();
      const file = pattern(22 * SECTOR); // the last extents reach beyond its end, which reads as zeros
      const fd = system.file(file);
      const disk = new ExtentDisk(
        new FileTransfer(system),
        extents.map((run) =>
          run.kind === "zero"
            ? { kind: "zero", length: run.length * SECTOR }
            : { kind: "file", fd, offset: run.offset * SECTOR, length: run.length * SECTOR },
        ),
      );
      const whole = extents.flatMap((run) => {
        const bytes = new Uint8Array(run.length * SECTOR);
        if (run.kind === "file") {
          bytes.set(file.subarray(run.offset * SECTOR, (run.offset + run.length) * SECTOR));
        }
        return [...bytes];
      });
      const driver = new TestDriver(new VirtioBlock(system, { serial: "root", disk }), system);
      driver.start();
      const length = sectors * SECTOR;
      const first = Math.min(cut, length - 1) + 1;
      const rooms = first === length ? [length] : [first, length - first];
      const chain = driver.request(0, [header(0, sector), ...rooms, 1]);
      const expected = whole.slice(sector * SECTOR, sector * SECTOR + length);
      if (expected.length < length) assert.equal(status(chain), IOERR);
      else assert.deepEqual([...(chain?.answer ?? [])], [...expected, OK]);
    }),
    { numRuns: 200 },
  );
});
