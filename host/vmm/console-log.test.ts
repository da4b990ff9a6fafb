import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConsoleLog } from "./console-log.ts";

test("gives the last lines, however they were cut", () => {
  const log = new ConsoleLog();
  for (const text of ["one\r\ntw", "o\n\n", "thr", "ee"]) log.append(Buffer.from(text));
  assert.equal(log.tail(2), "two\nthree");
  assert.equal(log.tail(9), "one\ntwo\nthree");
});

test("is empty for a guest that wrote nothing", () => {
  assert.equal(new ConsoleLog().tail(5), "");
  assert.equal(new ConsoleLog().after("x"), undefined);
});

test("finds what follows the last marker", () => {
  const log = new ConsoleLog();
  log.append(Buffer.from("panic: first\n[ 1.0] panic: second \n[ 1.1] rest\n"));
  assert.equal(log.after("panic: "), "second");
});

test("keeps the end of much output", () => {
  const log = new ConsoleLog();
  const line = `${"x".repeat(99)}\n`;
  for (let i = 0; i < 5000; i++) log.append(Buffer.from(line));
  log.append(Buffer.from(`${"y".repeat(300_000)}\nend\n`));
  const lines = log.tail(1_000_000).split("\n");
  assert.equal(lines.at(-1), "end");
  assert.ok(lines.join("\n").length <= 64 * 1024);
});

test("lets no guest send anything but printable ASCII to a terminal", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      const log = new ConsoleLog();
      for (const chunk of chunks) log.append(chunk);
      assert.match(log.tail(1000), /^[\x20-\x7e\n]*$/);
    }),
  );
  const log = new ConsoleLog();
  log.append(Buffer.from("\x1b[2Ja\x1b]0;title\x07b\n"));
  assert.equal(log.tail(1), "a]0;titleb");
});
