import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DEFAULT_DETACH_KEYS, detachKeyFilter, parseDetachKeys } from "./detach-keys.ts";

/** What comes through when the pieces are typed, and whether that detached. */
async function typed(keys: Buffer, pieces: readonly Buffer[]) {
  let detached = false;
  const filter = detachKeyFilter(keys, () => {
    detached = true;
  });
  const passed: Buffer[] = [];
  filter.on("data", (bytes) => passed.push(bytes));
  for (const piece of pieces) filter.write(piece);
  filter.end();
  await new Promise((resolve) => filter.once("end", resolve));
  return { passed: Buffer.concat(passed).toString("latin1"), detached };
}

const keys = parseDetachKeys(DEFAULT_DETACH_KEYS);
const [p, q] = ["\x10", "\x11"];

test("reads letters and control keys", () => {
  assert.deepEqual([...keys], [16, 17]);
  assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-[,ctrl-_")], [97, 0, 27, 31]);
  for (const text of ["", "ctrl-", "ctrl-AA", "ctrl-1", "ab", "a,,b", "é"]) {
    assert.throws(() => parseDetachKeys(text), /invalid detach keys/, text);
  }
});

test("detaches on the keys in a row, in one piece or several, and swallows them", async () => {
  assert.deepEqual(await typed(keys, [Buffer.from(`ab${p}${q}cd`)]), {
    passed: "ab",
    detached: true,
  });
  const apart = [Buffer.from(`a${p}`), Buffer.from(`${q}b`)];
  assert.deepEqual(await typed(keys, apart), { passed: "a", detached: true });
});

test("hands on a beginning that came to nothing", async () => {
  const once = [Buffer.from(`${p}a`)];
  assert.deepEqual(await typed(keys, once), { passed: `${p}a`, detached: false });
  const twice = [Buffer.from(`${p}${p}${q}`)];
  assert.deepEqual(await typed(keys, twice), { passed: p, detached: true });
  assert.deepEqual(await typed(keys, [Buffer.from(p ?? "")]), { passed: p, detached: false });
});

test("changes nothing of input without the keys", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 10 })), async (pieces) => {
      const whole = Buffer.concat(pieces).toString("latin1");
      fc.pre(!whole.includes(`${p}${q}`));
      const { passed } = await typed(keys, pieces.map(Buffer.from));
      assert.equal(passed, whole);
    }),
    { numRuns: 50 },
  );
});
