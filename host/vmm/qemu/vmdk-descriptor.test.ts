import assert from "node:assert/strict";
import { test } from "node:test";
import { VmmError } from "../errors.ts";
import { longestZeroExtent, MAX_EXTENTS, vmdkDescriptor } from "./vmdk-descriptor.ts";

const file = (path: string, offset: number, length: number) =>
  ({ kind: "file", path, offset, length }) as const;
const zero = (length: number) => ({ kind: "zero", length }) as const;

test("extents become lines in their order, in sectors, with zeros from the sparse file", () => {
  const extents = [file("/i/meta", 0, 8192), zero(4096), file("/l/a b", 4096, 12288), zero(8192)];
  assert.equal(
    vmdkDescriptor({ extents, zeroFile: "/r/zeros" }),
    `# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="monolithicFlat"
RW 16 FLAT "/i/meta" 0
RW 8 FLAT "/r/zeros" 0
RW 24 FLAT "/l/a b" 8
RW 16 FLAT "/r/zeros" 0
`,
  );
  assert.equal(longestZeroExtent(extents), 8192);
});

test("refuses what the format cannot say", () => {
  const bad = [
    [],
    Array.from({ length: MAX_EXTENTS + 1 }, () => zero(4096)),
    [file("relative", 0, 4096)],
    [file('/a"b', 0, 4096)],
    [file("/a\nRW 1 FLAT", 0, 4096)],
    [file(`/${"x".repeat(511)}`, 0, 4096)],
    [file("/a", 100, 4096)],
    [file("/a", -512, 4096)],
    [file("/a", 0, 0)],
    [file("/a", 0, 1000)],
    [zero(Number.NaN)],
  ];
  for (const extents of bad) {
    assert.throws(() => vmdkDescriptor({ extents, zeroFile: "/z" }), VmmError);
  }
});
