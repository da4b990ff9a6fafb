import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { test } from "node:test";
import fc from "fast-check";
import { demultiplexer, piece, pieceHeader, STDERR, STDOUT, SYSTEM_ERROR } from "./stdcopy.ts";

function collector() {
  const pieces: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 4,
    write(bytes, _encoding, callback) {
      pieces.push(bytes);
      setImmediate(callback);
    },
  });
  return { sink, text: () => Buffer.concat(pieces).toString("latin1") };
}

async function demultiplex(chunks: readonly Buffer[]) {
  const [stdout, stderr] = [collector(), collector()];
  const target = demultiplexer({ stdout: stdout.sink, stderr: stderr.sink });
  await pipeline(chunks, target);
  await Promise.all([stdout, stderr].map(({ sink }) => finished(sink.end())));
  return { stdout: stdout.text(), stderr: stderr.text() };
}

test("writes the header of the attach endpoint's stream format", () => {
  assert.deepEqual([...pieceHeader(STDERR, 0x01020304)], [2, 0, 0, 0, 1, 2, 3, 4]);
});

test("gives each stream its bytes back, wherever the connection cuts", async () => {
  const written = fc.array(
    fc.tuple(fc.constantFrom(STDOUT, STDERR), fc.uint8Array({ maxLength: 20 })),
  );
  await fc.assert(
    fc.asyncProperty(written, fc.integer({ min: 1, max: 9 }), async (pieces, cut) => {
      const whole = Buffer.concat(pieces.map(([stream, bytes]) => piece(stream, bytes)));
      const chunks: Buffer[] = [];
      for (let at = 0; at < whole.length; at += cut) chunks.push(whole.subarray(at, at + cut));
      const of = (wanted: number) =>
        Buffer.concat(pieces.flatMap(([s, bytes]) => (s === wanted ? [bytes] : []))).toString(
          "latin1",
        );
      assert.deepEqual(await demultiplex(chunks), { stdout: of(STDOUT), stderr: of(STDERR) });
    }),
    { numRuns: 50 },
  );
});

test("fails with what the daemon says went wrong", async () => {
  const chunks = [
    piece(STDOUT, Buffer.from("a")),
    piece(SYSTEM_ERROR, Buffer.from("disk is full")),
  ];
  await assert.rejects(demultiplex(chunks), /disk is full/);
});

test("fails for bytes that are no multiplexed stream, and for one that is cut short", async () => {
  await assert.rejects(demultiplex([Buffer.from("plain text")]), /not a multiplexed stream/);
  await assert.rejects(
    demultiplex([piece(STDOUT, Buffer.from("ab")).subarray(0, 9)]),
    /ended in a piece/,
  );
});
