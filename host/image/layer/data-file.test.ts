import assert from "node:assert/strict";
import { constants, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { TestFolder } from "../test-support/image-builder.ts";
import { DataFile } from "./data-file.ts";
import type { FileCalls } from "./direct-file.ts";
import type { SparseSegment } from "./sparse-map.ts";

/** Segments in file order, from gaps and lengths. */
const segments = fc
  .array(fc.tuple(fc.nat(9000), fc.integer({ min: 1, max: 9000 })), { maxLength: 8 })
  .map((pairs) => {
    const list: SparseSegment[] = [];
    let end = 0;
    for (const [gap, length] of pairs) {
      list.push({ offset: end + gap, length });
      end += gap + length;
    }
    return list;
  });

describe("DataFile", () => {
  test("gives every file back from its runs, whatever its segments", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(segments, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5000 }),
        async (files, step) => {
          using folder = new TestFolder();
          const path = join(folder.path, "data");
          await using file = new DataFile(path);
          const written = files.map((list, n) => {
            const stored = Buffer.concat(
              list.map(({ length }, m) => Buffer.alloc(length, 1 + n * 8 + m)),
            );
            file.begin(list);
            for (let at = 0; at < stored.length; at += step)
              file.write(stored.subarray(at, at + step));
            return { list, stored, ...file.end() };
          });
          assert.equal(await file.finish(), statSync(path).size);
          const data = readFileSync(path);
          for (const { list, stored, runs, pieces } of written) {
            const size = list.reduce(
              (end, { offset, length }) => Math.max(end, offset + length),
              0,
            );
            const expected = Buffer.alloc(size);
            let at = 0;
            for (const { offset, length } of list)
              at += stored.copy(expected, offset, at, at + length);
            const actual = Buffer.alloc(size);
            for (const [n, run] of runs.entries()) {
              assert.equal(run.fileOffset % 4096, 0);
              assert.equal(run.dataOffset % 4096, 0);
              assert.ok(n === runs.length - 1 || run.length % 4096 === 0);
              data.copy(actual, run.fileOffset, run.dataOffset, run.dataOffset + run.length);
            }
            assert.deepEqual(actual, expected);
            const again = pieces.map(({ offset, length }) =>
              data.subarray(offset, offset + length),
            );
            assert.deepEqual(Buffer.concat(again), stored);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("takes no blocks for long zeros", async () => {
    using folder = new TestFolder();
    const path = join(folder.path, "data");
    await using file = new DataFile(path);
    file.begin([{ offset: 0, length: 8 << 20 }]);
    file.write(Buffer.alloc(8 << 20));
    assert.deepEqual(file.end().runs, [{ fileOffset: 0, dataOffset: 0, length: 8 << 20 }]);
    assert.equal(await file.finish(), 8 << 20);
    assert.equal(statSync(path).blocks, 0);
  });

  for (const [what, refuses] of [
    ["opens no file", { open: true, write: false }],
    ["takes no page", { open: false, write: true }],
  ] as const)
    test(`goes by way of the page cache where O_DIRECT ${what}`, async () => {
      using folder = new TestFolder();
      const path = join(folder.path, "data");
      const direct = new Set<number>();
      const invalid = () => Object.assign(new Error("EINVAL"), { code: "EINVAL" });
      const write = (...[fd, ...rest]: Parameters<FileCalls["writeSync"]>): number => {
        if (direct.has(fd) && refuses.write) throw invalid();
        return writeSync(fd, ...rest);
      };
      await using file = new DataFile(path, {
        openSync: (name, flags, mode) => {
          const isDirect = (flags & constants.O_DIRECT) !== 0;
          const fd = openSync(name, flags & ~constants.O_DIRECT, mode);
          direct.delete(fd);
          if (isDirect && refuses.open) throw invalid();
          if (isDirect) direct.add(fd);
          return fd;
        },
        writeSync: (...words) => write(...words),
        write: async (...words) => ({ bytesWritten: write(...words) }),
      });
      const stored = Buffer.alloc(3_000_000, "data");
      file.begin([{ offset: 0, length: stored.length }]);
      file.write(stored);
      file.end();
      assert.equal(await file.finish(), 3_002_368);
      assert.deepEqual(readFileSync(path).subarray(0, stored.length), stored);
    });

  test("tells by its promise alone that what it had to write was refused", async () => {
    using folder = new TestFolder();
    const refuse = (): never => {
      throw new Error("no room");
    };
    await using file = new DataFile(join(folder.path, "data"), {
      openSync,
      writeSync: refuse,
      write: async () => refuse(),
    });
    const stored = Buffer.alloc((1 << 20) * 2 - 100, 1);
    file.begin([{ offset: 0, length: stored.length }]);
    file.write(stored.subarray(0, 1 << 20));
    await file.room;
    await setImmediate();
    file.write(stored.subarray(1 << 20));
    file.end();
    const finished = file.finish();
    await assert.rejects(finished, /no room/);
  });

  test("refuses more data than the segments hold", async () => {
    using folder = new TestFolder();
    await using file = new DataFile(join(folder.path, "data"));
    file.begin([{ offset: 0, length: 3 }]);
    assert.throws(() => file.write(Buffer.alloc(4)), RangeError);
  });
});
