import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseNanoseconds } from "./clock.ts";
import { encodeLines, MAX_PIECE } from "./log-lines.ts";

interface Entry {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

function encoded(bytes: Uint8Array): { entries: Entry[]; calls: number } {
  let [text, calls] = ["", 0];
  encodeLines("stderr", bytes, (entries) => {
    assert.equal(entries.at(-1), 10);
    text += Buffer.from(entries).toString("utf8");
    calls++;
  });
  const lines = text.split("\n").slice(0, -1);
  return { entries: lines.map((line) => JSON.parse(line)), calls };
}

test("any line is what JSON makes of its text, and so is what is no text", () => {
  const ascii = fc.uint8Array({ max: 0x7f, maxLength: 60 });
  const any = fc.uint8Array({ maxLength: 60 });
  const text = fc.string({ unit: "grapheme", maxLength: 30 }).map((each) => Buffer.from(each));
  fc.assert(
    fc.property(fc.oneof(ascii, any, text), (bytes) => {
      const whole = Buffer.from(bytes).toString("latin1");
      const lines = whole.split("\n").map((line) => `${line}\n`);
      lines.push((lines.pop() ?? "").slice(0, -1));
      const wanted = lines
        .filter((line) => line !== "")
        .map((line) => Buffer.from(line, "latin1").toString("utf8"));
      assert.deepEqual(
        encoded(bytes).entries.map(({ log }) => log),
        wanted,
      );
    }),
  );
});

test("each entry's time is later than the one before, over many calls and over a carry", () => {
  const { entries } = encoded(Buffer.from("x\n".repeat(1200)));
  const times = [...entries, ...encoded(Buffer.from("y\n")).entries].map(({ time }) => time);
  assert.equal(new Set(times).size, 1201);
  assert.deepEqual(times, times.toSorted());
  assert.ok(times.every((time) => parseNanoseconds(time) !== undefined));
});

test("what grows most goes in blocks of whole entries", () => {
  const controls = Buffer.alloc(4 * MAX_PIECE, 1);
  const most = encoded(controls);
  assert.deepEqual(
    most.entries.map(({ log }) => log.length),
    [MAX_PIECE, MAX_PIECE, MAX_PIECE, MAX_PIECE],
  );
  const empty = encoded(Buffer.alloc(100_000, 10));
  assert.equal(empty.entries.length, 100_000);
  assert.ok(empty.calls > 10);
});
