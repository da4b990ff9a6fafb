import assert from "node:assert/strict";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { vmmSystem } from "../../sys/vmm-system.ts";
import { markOf } from "./template-meta.ts";
import { formatRuns, readRuns, WorkingSet } from "./working-set.ts";

const PAGE = 4096;
const PAGES = 4096;

const root = mkdtempSync(join(tmpdir(), "dvm-working-set-"));
after(() => rmSync(root, { recursive: true }));

describe("a working set", () => {
  it("is what a process has touched of its private mapping, recorded once", async () => {
    const memory = join(root, "memory");
    writeFileSync(memory, "");
    truncateSync(memory, PAGES * PAGE);
    const fd = openSync(memory, "r");
    after(() => closeSync(fd));
    const bytes = new Uint8Array(vmmSystem.map(PAGES * PAGE, { fd, shared: false }).bytes);
    const touch = (pages: readonly number[]) => {
      for (const page of pages) bytes[page * PAGE] = 1;
    };
    const path = join(root, "set");
    const stats = statSync(memory, { bigint: true });
    const elsewhere = new WorkingSet(join(root, "elsewhere"), markOf(stats), stats.dev ^ 0x100n);
    const set = new WorkingSet(path, markOf(stats), stats.dev);
    touch([100, 110, 300]);
    assert.equal(await set.read(), undefined);
    await set.prefetch(fd, []);
    elsewhere.record(process.pid);
    set.record(process.pid);
    while ((await set.read()) === undefined) await setTimeout(5);
    const expected = [
      { offset: 100 * PAGE, length: 11 * PAGE },
      { offset: 300 * PAGE, length: PAGE },
    ];
    assert.deepEqual(await set.read(), expected);
    touch([2000]);
    set.record(process.pid);
    await setTimeout(50);
    assert.deepEqual(await set.read(), expected);
    await set.prefetch(fd, expected);
    assert.equal(await elsewhere.read(), undefined);
    assert.deepEqual(readdirSync(root).sort(), ["memory", "set"]);
  });

  it("of a process that has no such mapping, or is no more, is none", async () => {
    const memory = join(root, "memory");
    const stats = statSync(memory, { bigint: true });
    const set = new WorkingSet(join(root, "none"), markOf(stats), stats.dev);
    set.record(1);
    set.record(2 ** 30);
    await setTimeout(50);
    assert.equal(await set.read(), undefined);
  });

  it("is read as it was written, and nothing else is", () => {
    const size = 400 * PAGE;
    const run = fc
      .tuple(fc.nat(50), fc.nat(50))
      .map(([first, pages]) => ({ offset: first * PAGE, length: pages * PAGE }));
    fc.assert(
      fc.property(fc.array(run), (runs) => {
        const total = runs.reduce((sum, { length }) => sum + length, 0);
        const isInBounds = total <= 100 * PAGE;
        assert.deepEqual(readRuns(formatRuns(runs), size), isInBounds ? runs : undefined);
      }),
    );
    const beyond = [{ offset: size, length: PAGE }];
    const odd = [{ offset: 1, length: PAGE }];
    const many = Array.from({ length: 5000 }, () => ({ offset: 0, length: PAGE }));
    for (const runs of [beyond, odd, many]) {
      assert.equal(readRuns(formatRuns(runs), size), undefined);
    }
    const most = [{ offset: 0, length: 64 << 20 }];
    assert.deepEqual(readRuns(formatRuns(most), 2 ** 30), most);
    const more = [...most, { offset: 0, length: PAGE }];
    assert.equal(readRuns(formatRuns(more), 2 ** 30), undefined);
    const texts = ["", "null", "[]", '{"version":2,"runs":[]}', '{"version":1,"runs":[null]}'];
    for (const text of [...texts, '{"version":1,"runs":[[0,4096,1]]}', '{"version":1,"runs":{}}']) {
      assert.equal(readRuns(text, size), undefined, text);
    }
    fc.assert(fc.property(fc.string(), (text) => assert.equal(readRuns(text, size), undefined)));
  });
});
