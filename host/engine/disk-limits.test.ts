import assert from "node:assert/strict";
import { test } from "node:test";
import { diskLimits } from "./disk-limits.ts";

test("the lowest rate of each kind is the disks'", () => {
  assert.equal(diskLimits({}), undefined);
  assert.equal(diskLimits({ deviceRates: { readBps: [] } }), undefined);
  const readBps = [
    { path: "/dev/sda", rate: 2000 },
    { path: "/dev/sdb", rate: 1000 },
  ];
  assert.deepEqual(
    diskLimits({ deviceRates: { readBps, writeIops: [{ path: "/dev/sda", rate: 5 }] } }),
    { read: { bytesPerSecond: 1000 }, write: { operationsPerSecond: 5 } },
  );
});
