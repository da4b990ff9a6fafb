import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Channel } from "./channel.ts";
import { encodeFrame, encodeOffset, FrameReader, FrameType } from "./frame.ts";
import {
  CREDIT_STEP,
  MAX_COPIED_PAYLOAD,
  MAX_DATA_PAYLOAD,
  MAX_STREAMS,
  MAX_WAITING_FRAMES,
  STREAM_WINDOW,
  WIDE_CREDIT_STEP,
} from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

const NONCE = new Uint8Array(16).fill(7);

class Side {
  readonly messages: unknown[] = [];
  readonly channel = new Channel({
    onMessage: (value) => this.messages.push(value),
    onSynchronised: () => {
      this.synchronised++;
    },
    onOutput: () => {},
  });
  synchronised = 0;

  output(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let piece = this.channel.nextOutput(); piece; piece = this.channel.nextOutput()) {
      pieces.push(piece);
    }
    return pieces;
  }
}

/** Carries bytes both ways until neither side has more to say. */
function settle(host: Side, guest: Side): void {
  for (;;) {
    const down = host.output();
    for (const piece of down) guest.channel.receive(piece);
    const up = guest.output();
    for (const piece of up) host.channel.receive(piece);
    if (down.length + up.length === 0) return;
  }
}

function connected(): { host: Side; guest: Side } {
  const host = new Side();
  const guest = new Side();
  host.channel.open(NONCE);
  settle(host, guest);
  return { host, guest };
}

function bytes(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff);
}

function collect(side: Side, id: number, offset = 0) {
  const got: number[] = [];
  const state = { got, ended: false };
  const stream = side.channel.openIncoming(
    id,
    {
      onData: (piece) => {
        for (const byte of piece) got.push(byte);
      },
      onEnd: () => {
        state.ended = true;
      },
    },
    offset,
  );
  return { state, stream };
}

describe("channel", () => {
  it("carries messages right behind the opening, before the guest has answered it", () => {
    const host = new Side();
    const guest = new Side();
    host.channel.open(NONCE);
    host.channel.send({ id: 1 });
    host.channel.send({ id: 2 });
    const opening = host.output();
    assert.equal(host.synchronised, 0);
    for (const piece of opening) guest.channel.receive(piece);
    assert.deepEqual(guest.messages, [{ id: 1 }, { id: 2 }]);
    settle(host, guest);
    assert.equal(host.synchronised, 1);
  });

  it("drops messages that are sent before the opening, or after the connection is lost", () => {
    const host = new Side();
    host.channel.send({ id: 1 });
    assert.deepEqual(host.output(), []);
    host.channel.open(NONCE);
    host.channel.lost();
    host.channel.send({ id: 2 });
    assert.deepEqual(host.output(), []);
  });

  it("finds the common start behind the rest of an earlier conversation", () => {
    const host = new Side();
    const guest = new Side();
    host.channel.open(NONCE);
    host.channel.receive(bytes(1000));
    guest.channel.receive(bytes(777, 3));
    settle(host, guest);
    assert.deepEqual([host.synchronised, guest.synchronised], [1, 1]);
    guest.channel.send({ text: "grüße 🐧\u007f" });
    settle(host, guest);
    assert.deepEqual(host.messages, [{ text: "grüße 🐧\u007f" }]);
  });

  it("skips the guest's sign of life, and drops what is said while nobody listens", () => {
    const host = new Side();
    const guest = new Side();
    guest.channel.announce();
    guest.channel.send({ text: "too early" });
    const sign = guest.output();
    assert.deepEqual(sign, [new Uint8Array(1)]);
    host.channel.open(NONCE);
    for (const piece of sign) host.channel.receive(piece);
    settle(host, guest);
    assert.deepEqual([host.synchronised, host.messages], [1, []]);
  });

  it("takes no answer for its own that carries another nonce", () => {
    const host = new Side();
    const guest = new Side();
    host.channel.open(NONCE);
    const stale = new Side();
    stale.channel.open(new Uint8Array(16).fill(9));
    for (const piece of stale.output()) host.channel.receive(piece);
    assert.equal(host.synchronised, 0);
    settle(host, guest);
    assert.equal(host.synchronised, 1);
  });

  it("carries a stream of any size, however the transport cuts it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: STREAM_WINDOW }),
        fc.integer({ min: 1, max: 70_000 }),
        (size, cut) => {
          const { host, guest } = connected();
          const { state } = collect(host, 5);
          const out = guest.channel.openOutgoing(5);
          out.write(bytes(size));
          out.end();
          for (const piece of guest.output()) {
            for (let at = 0; at < piece.length; at += cut)
              host.channel.receive(piece.subarray(at, at + cut));
          }
          assert.deepEqual(Uint8Array.from(state.got), bytes(size));
          assert.equal(state.ended, true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("sends and repeats what was written byte by byte", () => {
    const { host, guest } = connected();
    const sent = bytes(1000, 3);
    const outgoing = guest.channel.openOutgoing(5);
    const before = collect(host, 5);
    for (const [at, byte] of sent.entries()) {
      outgoing.write(Uint8Array.of(byte));
      if (at % 7 === 0) settle(host, guest);
    }
    settle(host, guest);
    assert.deepEqual(before.state.got, [...sent]);
    const other = new Side();
    guest.channel.lost();
    const after = collect(other, 5, 300);
    other.channel.open(NONCE);
    settle(other, guest);
    other.channel.resumeIncoming(after.stream);
    settle(other, guest);
    assert.deepEqual(after.state.got, [...sent.slice(300)]);
  });

  it("stops a sender at the window, and only on the stream that nobody reads", () => {
    const { host, guest } = connected();
    const slow = collect(host, 1);
    const quick = collect(host, 2);
    const stuck = guest.channel.openOutgoing(1);
    stuck.write(bytes(STREAM_WINDOW));
    settle(host, guest);
    assert.equal(stuck.room, 0);
    assert.throws(() => stuck.write(bytes(1)), RangeError);
    const free = guest.channel.openOutgoing(2);
    free.write(bytes(100));
    settle(host, guest);
    assert.equal(quick.state.got.length, 100);
    let room = 0;
    stuck.onRoom = () => {
      room = stuck.room;
    };
    slow.stream.consume(CREDIT_STEP);
    settle(host, guest);
    assert.equal(room, CREDIT_STEP);
  });

  it("is told again of what was consumed as often as the receiver's step says", () => {
    const { host, guest } = connected();
    const slow = collect(host, 1);
    const out = guest.channel.openOutgoing(1);
    out.write(bytes(STREAM_WINDOW));
    settle(host, guest);
    host.channel.creditStep = WIDE_CREDIT_STEP;
    slow.stream.consume(WIDE_CREDIT_STEP - 1);
    settle(host, guest);
    assert.equal(out.room, 0);
    slow.stream.consume(1);
    settle(host, guest);
    assert.equal(out.room, WIDE_CREDIT_STEP);
  });

  it("gives every stream its turn", () => {
    const { guest } = connected();
    for (const id of [1, 2]) guest.channel.openOutgoing(id).write(bytes(3 * MAX_COPIED_PAYLOAD));
    const order = guest.output().map((piece) => new DataView(piece.buffer).getUint32(8, true));
    assert.deepEqual(order, [1, 2, 1, 2, 1, 2]);
  });

  it("loses and repeats no byte when the host goes away and another takes over", () => {
    const { host, guest } = connected();
    const first = collect(host, 3);
    const out = guest.channel.openOutgoing(3);
    out.write(bytes(100_000));
    settle(host, guest);
    first.stream.consume(70_000);
    settle(host, guest);
    out.write(bytes(50_000, 9));
    guest.channel.lost();

    const next = new Side();
    next.channel.open(new Uint8Array(16).fill(1));
    settle(next, guest);
    const second = collect(next, 3, 70_000);
    next.channel.resumeIncoming(second.stream);
    out.end();
    settle(next, guest);
    const whole = Uint8Array.from([...bytes(100_000), ...bytes(50_000, 9)]);
    assert.deepEqual(
      Uint8Array.from([...first.state.got.slice(0, 70_000), ...second.state.got]),
      whole,
    );
    assert.equal(second.state.ended, true);
    assert.equal(out.closed, true);
  });

  it("tells the writer when the reader wants no more", () => {
    const { host, guest } = connected();
    collect(host, 4);
    const out = guest.channel.openOutgoing(4);
    let closed = false;
    out.onClose = () => {
      closed = true;
    };
    host.channel.resetIncoming(4);
    settle(host, guest);
    assert.equal(closed, true);
    out.write(bytes(10));
    assert.deepEqual(guest.output(), []);
  });

  const breaches: Record<string, Uint8Array> = {
    "a frame of unknown type": encodeFrame(99 as never, 0, new Uint8Array(0)),
    "data beyond the window": Uint8Array.from(
      Array.from({ length: STREAM_WINDOW / MAX_DATA_PAYLOAD + 1 }, () => [
        ...encodeFrame(FrameType.DATA, 1, new Uint8Array(MAX_DATA_PAYLOAD)),
      ]).flat(),
    ),
    "a frame longer than its type may be": encodeFrame(
      FrameType.DATA,
      1,
      new Uint8Array(MAX_DATA_PAYLOAD + 1),
    ),
    "credit for what was never sent": encodeFrame(FrameType.CREDIT, 2, encodeOffset(1)),
    "an end that contradicts what came": encodeFrame(FrameType.END, 1, encodeOffset(5)),
    "an offset beyond what is exact": encodeFrame(FrameType.CREDIT, 2, new Uint8Array(8).fill(255)),
    "a message that is no JSON": encodeFrame(FrameType.MESSAGE, 0, bytes(10)),
  };
  for (const [name, frame] of Object.entries(breaches)) {
    it(`refuses ${name}`, () => {
      const { host } = connected();
      collect(host, 1);
      host.channel.openOutgoing(2);
      assert.throws(() => host.channel.receive(frame), ProtocolError);
    });
  }

  it("survives arbitrary bytes: a clear refusal or nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        const { host } = connected();
        try {
          host.channel.receive(junk);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }),
    );
  });

  it("refuses a peer that asks on and on and reads no answer", () => {
    const { host } = connected();
    const resume = encodeFrame(FrameType.RESUME, 9, encodeOffset(0));
    for (let asked = 0; asked < MAX_WAITING_FRAMES; asked++) host.channel.receive(resume);
    assert.throws(() => host.channel.receive(resume), /65536 answers wait/);
  });

  it("bounds the number of streams", () => {
    const { guest } = connected();
    for (let id = 0; id < MAX_STREAMS; id++) guest.channel.openOutgoing(id);
    assert.throws(() => guest.channel.openOutgoing(MAX_STREAMS), ProtocolError);
    assert.throws(() => guest.channel.openOutgoing(1), ProtocolError);
  });
});

describe("frame reader", () => {
  it("gives back what was encoded, whatever the cuts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 300 }))),
        fc.integer({ min: 1, max: 50 }),
        (frames, cut) => {
          const typeOf = (isData: boolean) => (isData ? FrameType.DATA : FrameType.MESSAGE);
          const wire = Uint8Array.from(
            frames.flatMap(([isData, p], i) => [...encodeFrame(typeOf(isData), i, p)]),
          );
          const reader = new FrameReader();
          // the parts of a DATA frame follow one another
          const got = new Map<number, { type: number; bytes: number[]; parts: number }>();
          for (let at = 0; at < wire.length; at += cut) {
            for (const { type, stream, payload } of reader.read(wire.subarray(at, at + cut))) {
              const { bytes = [], parts = 0 } = got.get(stream) ?? {};
              got.delete(stream);
              got.set(stream, { type, bytes: [...bytes, ...payload], parts: parts + 1 });
            }
          }
          const wanted = frames.map(([isData, p], i) => [i, typeOf(isData), [...p]] as const);
          assert.deepEqual(
            [...got].map(([stream, { type, bytes }]) => [stream, type, bytes]),
            wanted.filter(([, type, p]) => type !== FrameType.DATA || p.length > 0),
          );
          for (const { type, parts } of got.values()) {
            assert.ok(type === FrameType.DATA || parts === 1);
          }
        },
      ),
    );
  });
});
