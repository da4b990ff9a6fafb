import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { extract } from "tar-stream";
import {
  BLOCK,
  padding,
  readHeader,
  readPax,
  type TarEntry,
  TarType,
  withPax,
  writeHeader,
} from "./tar-header.ts";

const name = fc
  .array(fc.stringMatching(/^[a-zé€ -]{1,60}$/), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join("/"));
const entries: fc.Arbitrary<TarEntry> = fc.record({
  name,
  type: fc.constantFrom(TarType.FILE, TarType.FOLDER, TarType.SYMLINK),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  size: fc.constant(0),
  mtime: fc.integer({ min: 0, max: 2 ** 33 - 1 }),
  link: fc.oneof(fc.constant(""), name),
  major: fc.constant(0),
  minor: fc.constant(0),
  attributes: fc
    .dictionary(fc.stringMatching(/^[a-z.]{1,20}$/), fc.uint8Array())
    .map((values) => new Map(Object.entries(values))),
});

function readBack(bytes: Uint8Array): TarEntry | undefined {
  const first = readHeader(bytes.subarray(0, BLOCK));
  if (first?.type !== "x") return first;
  const records = readPax(bytes.subarray(BLOCK, BLOCK + first.size));
  const next = BLOCK + first.size + padding(first.size);
  const own = readHeader(bytes.subarray(next, next + BLOCK));
  return own && withPax(own, records);
}

describe("tar headers", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const read = readBack(writeHeader(entry));
        const isFolder = entry.type === TarType.FOLDER;
        assert.deepEqual(read, { ...entry, name: isFolder ? `${entry.name}/` : entry.name });
      }),
    );
  });

  it("are what others read", async () => {
    const long = `${"folder/".repeat(30)}file`;
    const reader = extract();
    const found = new Promise((resolve, reject) => {
      reader.on("entry", (header, stream, next) => {
        resolve([header.name, header.uid, header.mode, header.type]);
        stream.resume();
        next();
      });
      reader.on("error", reject);
    });
    const entry = { name: long, type: TarType.FILE, mode: 0o640, uid: 1000, gid: 0, size: 0 };
    const rest = { mtime: 5, link: "", major: 0, minor: 0, attributes: new Map() };
    reader.write(writeHeader({ ...entry, ...rest }));
    reader.end(new Uint8Array(2 * BLOCK));
    assert.deepEqual(await found, [long, 1000, 0o640, "file"]);
  });

  it("of any bytes are read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: BLOCK, maxLength: BLOCK }), (block) => {
        try {
          readHeader(block);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
  });

  it("of the pax kind are read or refused, whatever their bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (body) => {
        try {
          readPax(body);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
  });
});
