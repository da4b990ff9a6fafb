import assert from "node:assert/strict";
import { test } from "node:test";
import { setDiskLimits } from "./live-limits.ts";

const GROUPS = [
  { name: "limits-1-0-0-0", type: "child<throttle-group>" },
  { name: "rng", type: "child<rng-builtin>" },
];
const DISKS = [{ qdev: "/machine/a" }, { device: "none" }, { qdev: "/machine/b" }];

async function commandsFor(limits: Parameters<typeof setDiskLimits>[1]) {
  const commands: (readonly [string, Readonly<Record<string, unknown>>])[] = [];
  await setDiskLimits(async (command, parameters) => {
    if (command === "query-block") return DISKS;
    if (command === "qom-list") return GROUPS;
    commands.push([command, parameters]);
    return {};
  }, limits);
  return commands;
}

test("every disk gets the new limits in one group, then those of the start are lifted", async () => {
  const commands = await commandsFor({
    read: { bytesPerSecond: 7 },
    write: { operationsPerSecond: 9 },
  });
  assert.deepEqual(
    commands.map(([command, { id, path }]) => [command, id ?? path]),
    [
      ["block_set_io_throttle", "/machine/a"],
      ["block_set_io_throttle", "/machine/b"],
      ["qom-set", "/objects/limits-1-0-0-0"],
    ],
  );
  const [, first] = commands[0] ?? [];
  const rates = { bps: 0, bps_rd: 7, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 9 };
  assert.deepEqual(first, { id: "/machine/a", ...rates, group: "live-limits" });
});

test("no limits are zeros throughout", async () => {
  for (const [
    ,
    { value, id: _, path: __, property: ___, group: ____, ...rest },
  ] of await commandsFor(undefined)) {
    const numbers = Object.values((value as object | undefined) ?? rest);
    assert.ok(numbers.length === 6 && numbers.every((each) => each === 0), `${numbers}`);
  }
});
