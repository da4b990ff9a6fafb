import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { INFLATE_STATE, openGzipInflater } from "./isal.ts";

const header = "/usr/include/isa-l/igzip_lib.h";

test("the inflate state is laid out as the C header has it", {
  skip: !existsSync(header) && "libisal-dev is not installed",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-isal-test-"));
  try {
    const fields = Object.keys(INFLATE_STATE);
    const lines = fields.map(
      (name) => `printf("%zu\\n", offsetof(struct inflate_state, ${name}));`,
    );
    const source = `#include <stdio.h>\n#include <stddef.h>\n#include <isa-l/igzip_lib.h>\nint main(void){${lines.join("")}}`;
    execFileSync("cc", ["-x", "c", "-", "-o", join(folder, "offsets")], { input: source });
    const offsets = execFileSync(join(folder, "offsets"), { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual(offsets.map(Number), Object.values(INFLATE_STATE));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a member is inflated step by step, and the next one of the same input after it", async (t) => {
  const inflater = openGzipInflater();
  if (inflater === undefined) return t.skip("libisal2 is not installed");
  inflater.feed(Buffer.concat([gzipSync("hello, "), gzipSync("world")]));
  const output = Buffer.alloc(4);
  let text = "";
  for (let members = 0; members < 2; members++) {
    if (members > 0) inflater.nextMember();
    while (!inflater.finished) text += output.toString("utf8", 0, inflater.inflate(output));
  }
  assert.equal(text, "hello, world");
  assert.equal(inflater.inputLeft, 0);
});

test("damage is refused by name", async (t) => {
  const inflater = openGzipInflater();
  if (inflater === undefined) return t.skip("libisal2 is not installed");
  const packed = gzipSync("hello");
  packed.writeUInt32LE(0, packed.length - 8);
  inflater.feed(packed);
  assert.throws(() => inflater.inflate(Buffer.alloc(100)), /wrong checksum/);
});
