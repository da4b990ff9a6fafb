import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { processStart } from "../process-start.ts";
import { isMachineThere } from "./machine-there.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-there-"));
after(() => rmSync(folder, { recursive: true }));

const own = { pid: process.pid, startTime: processStart(process.pid) };
const gone = { pid: process.pid, startTime: "1" };
const noted = (owner: object) => writeFileSync(join(folder, "owner.json"), JSON.stringify(owner));

test("a machine is there as long as it, or who is to start it, lives", () => {
  assert.ok(isMachineThere(folder));
  assert.ok(!isMachineThere(join(folder, "none")));
  noted({ engine: own });
  assert.ok(isMachineThere(folder));
  noted({ engine: gone, vmm: own });
  assert.ok(isMachineThere(folder));
  noted({ engine: gone, vmm: gone });
  assert.ok(!isMachineThere(folder));
  noted({ engine: gone });
  assert.ok(!isMachineThere(folder));
});
