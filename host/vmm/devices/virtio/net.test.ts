import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestSystem } from "../../kvm/test-system.ts";
import { StreamLink } from "../net/stream-link.ts";
import { TapLink } from "../net/tap-link.ts";
import { VirtioNet } from "./net.ts";
import { TestDriver } from "./test-driver.ts";

const INPUT = 0;
const OUTPUT = 1;
const MAC = "52:54:00:0a:0b:ff";
const header = new Uint8Array(12);
const NO_MERGE = 1 << 5;

const frameOf = (length: number, first = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => at + first);

function prefixed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + frame.length);
  new DataView(bytes.buffer).setUint32(0, frame.length);
  bytes.set(frame, 4);
  return bytes;
}

function setUp(kind: "stream" | "tap", features?: number) {
  const system = new TestSystem();
  const { fd, socket } = system.socket();
  const link = kind === "tap" ? new TapLink(system, fd) : new StreamLink(system, fd);
  const driver = new TestDriver(new VirtioNet(link, MAC), system);
  driver.start(features);
  return { driver, socket };
}

test("shows the driver its address", () => {
  const { driver } = setUp("stream");
  const config = [0, 1, 2, 3, 4, 5].map((at) => {
    const byte = new Uint8Array(1);
    driver.registers.read(0x100 + at, byte);
    return byte[0];
  });
  assert.deepEqual(config, [0x52, 0x54, 0, 0x0a, 0x0b, 0xff]);
});

test("sends frames over a stream behind their length, without the driver's header", () => {
  const { driver, socket } = setUp("stream");
  driver.request(OUTPUT, [header, frameOf(60)]);
  driver.request(OUTPUT, [header, frameOf(3), frameOf(1500)]);
  const second = new Uint8Array([...frameOf(3), ...frameOf(1500)]);
  assert.deepEqual(socket.outgoing, [...prefixed(frameOf(60)), ...prefixed(second)]);
});

test("keeps what a stream does not take, and sends it when it does", () => {
  const { driver, socket } = setUp("stream");
  socket.room = 10;
  driver.add(OUTPUT, [header, frameOf(60)]);
  driver.kick();
  socket.room = 1000;
  driver.turn();
  assert.deepEqual(socket.outgoing, [...prefixed(frameOf(60))]);
});

test("gives frames from a tap with the header that the kernel wrote", () => {
  const { driver, socket } = setUp("tap");
  driver.add(INPUT, [2048]);
  const sent = new Uint8Array([1, 2, ...header.subarray(2), ...frameOf(100)]);
  socket.incoming.push(sent);
  driver.turn();
  const [used] = driver.used(INPUT);
  assert.equal(used?.written, 112);
  assert.deepEqual([...(used?.answer.slice(0, 12) ?? [])], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual(used?.answer.slice(12, 112), frameOf(100));
});

test("finds the frames of a stream however it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
      (lengths, cuts) => {
        const { driver, socket } = setUp("stream");
        for (let count = 0; count < 8; count++) driver.add(INPUT, [2048]);
        driver.kick();
        let stream = new Uint8Array(lengths.flatMap((length) => [...prefixed(frameOf(length))]));
        for (const cut of [...cuts, stream.length]) {
          if (stream.length === 0) break;
          socket.incoming.push(stream.slice(0, cut));
          stream = stream.slice(cut);
          driver.turn();
        }
        const used = driver.used(INPUT);
        assert.deepEqual(
          used.map(({ answer, written }) => answer.slice(12, written)),
          lengths.map((length) => frameOf(length)),
        );
      },
    ),
    { numRuns: 30 },
  );
});

test("spreads a large frame over several buffers and tells their number in the first", () => {
  const { driver, socket } = setUp("stream");
  for (let count = 0; count < 3; count++) driver.add(INPUT, [512]);
  socket.incoming.push(prefixed(frameOf(1200)));
  driver.turn();
  const used = driver.used(INPUT);
  assert.deepEqual(
    used.map(({ written }) => written),
    [512, 512, 188],
  );
  const bytes = used.flatMap(({ answer, written }) => [...answer.slice(0, written)]);
  assert.equal(bytes[10], 3);
  assert.deepEqual(bytes.slice(12), [...frameOf(1200)]);
});

test("waits with a frame until the driver has buffers for all of it", () => {
  const { driver, socket } = setUp("stream");
  driver.add(INPUT, [512]);
  socket.incoming.push(prefixed(frameOf(600)));
  driver.turn();
  assert.deepEqual(driver.used(INPUT), []);
  driver.add(INPUT, [512]);
  driver.kick();
  assert.equal(driver.used(INPUT).length, 2);
});

test("cuts a frame that is too large for a driver that cannot merge buffers", () => {
  const { driver, socket } = setUp("stream", NO_MERGE);
  driver.add(INPUT, [100]);
  socket.incoming.push(prefixed(frameOf(600)));
  driver.turn();
  assert.deepEqual(
    driver.used(INPUT).map(({ written }) => written),
    [100],
  );
});

test("goes on sending nowhere when the other end has gone or talks nonsense", () => {
  const { driver, socket } = setUp("stream");
  driver.add(INPUT, [512]);
  socket.incoming.push(new Uint8Array([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  driver.turn();
  driver.request(OUTPUT, [header, frameOf(60)]);
  assert.deepEqual(driver.used(INPUT), []);
  assert.deepEqual(driver.broken, []);
});

test("stops for a driver whose frame or buffer has no room for a header", () => {
  for (const [queue, part] of [
    [OUTPUT, [new Uint8Array(5)]],
    [INPUT, [5]],
  ] as const) {
    const { driver, socket } = setUp("stream");
    driver.add(queue, [...part]);
    socket.incoming.push(prefixed(frameOf(60)));
    driver.kick();
    driver.turn();
    assert.equal(driver.broken.length, 1);
  }
});
