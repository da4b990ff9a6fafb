import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestSystem } from "../../kvm/test-system.ts";
import {
  createGuestMemory,
  GuestAddressError,
  type GuestMemory,
} from "../../memory/guest-memory.ts";
import { IoVector } from "../../memory/io-vector.ts";
import { type Chain, RingError } from "./chain.ts";
import { Virtqueue } from "./queue.ts";

const DESCRIPTORS = 0x1000;
const AVAILABLE = 0x2000;
const USED = 0x3000;
const SIZE = 8;
const MEMORY_SIZE = 0x10000;

function setUp({ eventIndex = false } = {}) {
  const system = new TestSystem();
  const memory = createGuestMemory(system, [{ start: 0, length: MEMORY_SIZE }]);
  let interrupts = 0;
  const queue = new Virtqueue(
    memory,
    { size: SIZE, descriptors: DESCRIPTORS, available: AVAILABLE, used: USED, eventIndex },
    () => interrupts++,
  );
  return { system, memory, queue, view: viewOf(memory), interrupts: () => interrupts };
}

function viewOf(memory: GuestMemory): DataView {
  const view = memory.regions[0]?.view;
  assert.ok(view);
  return view;
}

interface Descriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

function setDescriptor(view: DataView, at: number, descriptor: Descriptor): void {
  view.setBigUint64(at, descriptor.address, true);
  view.setUint32(at + 8, descriptor.length, true);
  view.setUint16(at + 12, descriptor.flags, true);
  view.setUint16(at + 14, descriptor.next, true);
}

function offer(view: DataView, heads: readonly number[]): void {
  for (const [index, head] of heads.entries())
    view.setUint16(AVAILABLE + 4 + 2 * index, head, true);
  view.setUint16(AVAILABLE + 2, heads.length, true);
}

test("hands out a chain's readable and writable bytes", () => {
  const { memory, queue, view } = setUp();
  memory.write(0x5000, Uint8Array.of(1, 2, 3));
  memory.write(0x6000, Uint8Array.of(4, 5));
  setDescriptor(view, DESCRIPTORS, { address: 0x5000n, length: 3, flags: 1, next: 3 });
  setDescriptor(view, DESCRIPTORS + 48, { address: 0x6000n, length: 2, flags: 1, next: 1 });
  setDescriptor(view, DESCRIPTORS + 16, { address: 0x7000n, length: 4, flags: 2, next: 0 });
  offer(view, [0]);
  const chain = queue.pop();
  assert.ok(chain);
  const bytes = new Uint8Array(4);
  assert.equal(chain.readable.read(1, bytes), 4);
  assert.deepEqual([...bytes], [2, 3, 4, 5]);
  assert.equal(chain.writable.write(2, Uint8Array.of(9, 8, 7)), 2);
  assert.deepEqual([...new Uint8Array(view.buffer, view.byteOffset + 0x7000, 4)], [0, 0, 9, 8]);
  assert.equal(queue.pop(), undefined);
});

test("does not see what the driver changes after a chain was taken", () => {
  const { queue, view } = setUp();
  setDescriptor(view, DESCRIPTORS, { address: 0x5000n, length: 4, flags: 2, next: 0 });
  offer(view, [0]);
  const chain = queue.pop();
  setDescriptor(view, DESCRIPTORS, { address: 0x7000n, length: 4000, flags: 2, next: 0 });
  assert.equal(chain?.writable.length, 4);
  chain?.writable.write(0, Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.equal(view.getUint32(0x5000, true), 0x04030201);
  assert.equal(view.getUint32(0x7000, true), 0);
});

test("follows an indirect table", () => {
  const { queue, view } = setUp();
  setDescriptor(view, DESCRIPTORS, { address: 0x8000n, length: 32, flags: 4, next: 0 });
  setDescriptor(view, 0x8000, { address: 0x5000n, length: 5, flags: 1, next: 1 });
  setDescriptor(view, 0x8010, { address: 0x6000n, length: 7, flags: 2, next: 0 });
  offer(view, [0]);
  const chain = queue.pop();
  assert.deepEqual([chain?.readable.length, chain?.writable.length], [5, 7]);
});

const hostile: readonly (readonly [string, readonly Descriptor[]])[] = [
  ["a loop", [{ address: 0x5000n, length: 1, flags: 1, next: 0 }]],
  ["a head beyond memory", [{ address: BigInt(MEMORY_SIZE - 1), length: 2, flags: 0, next: 0 }]],
  ["an address of all ones", [{ address: 2n ** 64n - 1n, length: 1, flags: 0, next: 0 }]],
  ["a length that wraps", [{ address: 2n ** 64n - 4096n, length: 8192, flags: 2, next: 0 }]],
  ["a next index beyond the table", [{ address: 0x5000n, length: 1, flags: 1, next: SIZE }]],
  ["an indirect table that is no multiple", [{ address: 0x5000n, length: 17, flags: 4, next: 0 }]],
  ["an empty indirect table", [{ address: 0x5000n, length: 0, flags: 4, next: 0 }]],
  ["an indirect descriptor with a next", [{ address: 0x5000n, length: 16, flags: 5, next: 0 }]],
  ["an indirect table outside memory", [{ address: 2n ** 40n, length: 16, flags: 4, next: 0 }]],
  ["an indirect table in itself", [{ address: 0x1000n, length: 16, flags: 4, next: 0 }]],
  [
    "readable behind writable",
    [
      { address: 0x5000n, length: 1, flags: 3, next: 1 },
      { address: 0x5000n, length: 1, flags: 0, next: 0 },
    ],
  ],
];

for (const [name, descriptors] of hostile) {
  test(`refuses ${name}`, () => {
    const { queue, view } = setUp();
    for (const [index, descriptor] of descriptors.entries()) {
      setDescriptor(view, DESCRIPTORS + 16 * index, descriptor);
    }
    offer(view, [0]);
    assert.throws(() => queue.pop(), isRefusal);
  });
}

test("refuses a head beyond the table", () => {
  const { queue, view } = setUp();
  offer(view, [SIZE]);
  assert.throws(() => queue.pop(), RingError);
});

test("refuses an available index that jumped further than the ring", () => {
  const { queue, view } = setUp();
  view.setUint16(AVAILABLE + 2, SIZE + 1, true);
  assert.throws(() => queue.pop(), RingError);
});

test("refuses rings that are misaligned, of a bad size, or outside memory", () => {
  const { memory } = setUp();
  const good = {
    size: SIZE,
    descriptors: 0x1000,
    available: 0x2000,
    used: 0x3000,
    eventIndex: false,
  };
  const bad = [
    { size: 0 },
    { size: 3 },
    { size: 65536 },
    { descriptors: 0x1008 },
    { available: 0x2001 },
    { used: 0x3002 },
    { descriptors: MEMORY_SIZE - 16 },
    { used: MEMORY_SIZE - 4 },
    { available: 2 ** 63 },
  ];
  for (const change of bad) {
    assert.throws(() => new Virtqueue(memory, { ...good, ...change }, () => {}), isRefusal);
  }
});

test("returns chains in the used ring and interrupts once for several", () => {
  const { queue, view, interrupts } = setUp();
  queue.push(3, 10);
  queue.push(5, 20);
  queue.notify();
  queue.notify();
  assert.equal(view.getUint16(USED + 2, true), 2);
  assert.deepEqual([view.getUint32(USED + 4, true), view.getUint32(USED + 8, true)], [3, 10]);
  assert.deepEqual([view.getUint32(USED + 12, true), view.getUint32(USED + 16, true)], [5, 20]);
  assert.equal(interrupts(), 1);
});

test("does not interrupt a driver that asked not to be", () => {
  const { queue, view, interrupts } = setUp();
  view.setUint16(AVAILABLE, 1, true);
  queue.push(0, 0);
  queue.notify();
  assert.equal(interrupts(), 0);
});

test("with event indices, interrupts when the used index passes the driver's event", () => {
  const { queue, view, interrupts } = setUp({ eventIndex: true });
  const usedEvent = AVAILABLE + 4 + 2 * SIZE;
  view.setUint16(usedEvent, 1, true);
  queue.push(0, 0);
  queue.notify();
  assert.equal(interrupts(), 0);
  queue.push(0, 0);
  queue.notify();
  assert.equal(interrupts(), 1);
});

test("with event indices, asks for a kick at the next chain when it runs dry", () => {
  const { queue, view } = setUp({ eventIndex: true });
  setDescriptor(view, DESCRIPTORS, { address: 0x5000n, length: 4, flags: 2, next: 0 });
  offer(view, [0]);
  queue.pop();
  assert.equal(queue.pop(), undefined);
  assert.equal(view.getUint16(USED + 4 + 8 * SIZE, true), 1);
});

test("indices wrap at 16 bits", () => {
  const { queue, view } = setUp();
  setDescriptor(view, DESCRIPTORS, { address: 0x5000n, length: 4, flags: 2, next: 0 });
  for (let index = 1; index <= 0x10010; index++) {
    view.setUint16(AVAILABLE + 2, index & 0xffff, true);
    const chain = queue.pop();
    assert.ok(chain);
    queue.push(chain.head, 0);
  }
  assert.equal(view.getUint16(USED + 2, true), 0x10);
});

test("whatever the rings hold, the walk ends and stays within guest memory", () => {
  // Mostly plausible values, so that walks get far.
  const descriptor = fc.record({
    address: fc.oneof(
      fc.bigInt({ min: 0n, max: BigInt(MEMORY_SIZE + 16) }),
      fc.constant(BigInt(DESCRIPTORS)),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    ),
    length: fc.oneof(fc.nat(64), fc.constantFrom(16, 32, 128), fc.nat(0xffffffff)),
    flags: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4), fc.nat(0xffff)),
    next: fc.oneof(fc.nat(SIZE), fc.nat(0xffff)),
  });
  const rings = fc.record({
    descriptors: fc.array(descriptor, { minLength: SIZE, maxLength: SIZE }),
    heads: fc.array(fc.nat(SIZE), { maxLength: SIZE }),
    index: fc.oneof(fc.nat(SIZE), fc.nat(0xffff)),
    eventIndex: fc.boolean(),
  });
  fc.assert(
    fc.property(rings, ({ descriptors, heads, index, eventIndex }) => {
      const { system, memory, queue, view } = setUp({ eventIndex });
      for (const [slot, value] of descriptors.entries()) {
        setDescriptor(view, DESCRIPTORS + 16 * slot, value);
      }
      offer(view, heads);
      view.setUint16(AVAILABLE + 2, index, true);
      let popped = 0;
      try {
        for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
          popped++;
          assertWithin(memory, chain, system);
          queue.push(chain.head, 0);
        }
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      assert.ok(popped <= SIZE);
    }),
    { numRuns: 2000 },
  );
});

const isRefusal = (error: unknown): boolean =>
  error instanceof RingError || error instanceof GuestAddressError;

/** Every host address of the chain lies in the mapping of guest memory. */
function assertWithin(memory: GuestMemory, chain: Chain, system: TestSystem): void {
  const [region] = memory.regions;
  assert.ok(region);
  for (const buffers of [chain.readable, chain.writable]) {
    const vector = new IoVector(system);
    buffers.fill(vector, 0, buffers.length);
    assert.equal(vector.length, buffers.length);
    buffers.each(0, buffers.length, (found, offset, length) => {
      assert.equal(found, region);
      assert.ok(offset >= 0 && length >= 0 && offset + length <= region.length);
    });
  }
}
