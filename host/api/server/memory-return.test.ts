import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { memoryLook } from "./memory-return.ts";

const MIB = 2 ** 20;

/** Looks at a process of a size in `MiB`, of which a trim gives back a part, and a collection another. */
function looks() {
  let [resident, freed, garbage] = [100, 0, 0];
  const done: string[] = [];
  const look = memoryLook({
    resident: () => resident * MIB,
    trim: () => {
      resident -= freed;
      done.push("trim");
    },
    collect: () => {
      resident -= garbage;
      done.push("collect");
    },
  });
  return (at: { readonly size: number; readonly freed?: number; readonly garbage?: number }) => {
    ({ size: resident, freed = 0, garbage = 0 } = at);
    look();
    return done.splice(0).join(" ");
  };
}

test("what has grown by much is trimmed, and collected when it grows no more", () => {
  const doneAt = looks();
  assert.equal(doneAt({ size: 105 }), "");
  assert.equal(doneAt({ size: 150, freed: 10 }), "trim");
  assert.equal(doneAt({ size: 160, freed: 20 }), "trim");
  assert.equal(doneAt({ size: 140, freed: 10, garbage: 20 }), "collect trim");
  assert.equal(doneAt({ size: 110 }), "");
});

test("growth is measured against the least that it was", () => {
  const doneAt = looks();
  assert.equal(doneAt({ size: 80 }), "");
  assert.equal(doneAt({ size: 95 }), "trim");
});

test("what stays in use is collected once", () => {
  const doneAt = looks();
  assert.equal(doneAt({ size: 150 }), "trim");
  assert.equal(doneAt({ size: 150 }), "collect trim");
  assert.equal(doneAt({ size: 150 }), "");
});

/** Leaves pieces of 64 MiB behind, and prints how much of them goes back to the system, in `MiB`. */
const PROGRAM = `
const { memoryLook } = await import(process.argv[1]);
const look = memoryLook({});
let pieces = Array.from({ length: 1024 }, () => Buffer.allocUnsafeSlow(65536).fill(1));
const most = process.memoryUsage.rss();
pieces = undefined;
look();
look();
look();
console.log((most - process.memoryUsage.rss()) / 2 ** 20);
`;

test("what passed in pieces goes back to the system, in a process with the daemon's flags", () => {
  const words = readFileSync(join(PROJECT_ROOT, "bin/dvmd"), "utf8");
  const flags = /exec "\$node" (.*) -- "\$main"/.exec(words)?.[1]?.split(" ") ?? [];
  const program = join(import.meta.dirname, "memory-return.ts");
  const given = execFileSync(
    process.execPath,
    [...flags, "--input-type=module", "-e", PROGRAM, program],
    { encoding: "utf8" },
  );
  assert.ok(Number(given) > 48, `${given} MiB of 64`);
});
