import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { ContainerConfig, ResourceConfig } from "../container-config.ts";
import { makeSwapDisk, removeSwapDisk, swapBytes } from "./swap-disk.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe("what a container may swap", () => {
  const cases: [string, ResourceConfig, number][] = [
    ["is nothing without limits", {}, 0],
    ["is nothing where memory alone is limited", { memory: 64 * MIB }, 0],
    ["is nothing where both together are memory", { memory: 64 * MIB, memorySwap: 64 * MIB }, 0],
    [
      "is what both together are above memory",
      { memory: 64 * MIB, memorySwap: 96 * MIB },
      32 * MIB,
    ],
    ["has whole pages", { memory: 64 * MIB, memorySwap: 65 * MIB + 1 }, MIB],
    ["is bounded where it is not limited", { memory: 64 * MIB, memorySwap: -1 }, 4 * GIB],
    ["is bounded where it is immense", { memory: 64 * MIB, memorySwap: 2 ** 50 }, 4 * GIB],
    ["may be as much again as much memory", { memory: 8 * GIB, memorySwap: 16 * GIB }, 8 * GIB],
    ["is nothing where no memory is limited", { memorySwap: -1 }, 0],
  ];
  for (const [name, resources, bytes] of cases) {
    it(name, () => assert.equal(swapBytes(resources), bytes));
  }
});

describe("the disk to swap to", () => {
  const root = mkdtempSync(join(tmpdir(), "dvm-swap-"));
  after(() => rmSync(root, { recursive: true }));
  const id = "a".repeat(64);
  const path = join(root, "containers", id, "swap.img");
  mkdirSync(join(root, "containers", id), { recursive: true });
  const make = (resources: ResourceConfig) =>
    // nothing else of the configuration counts here
    makeSwapDisk({ id, config: { resources } as ContainerConfig }, root);

  it("is not made where nothing is swapped", () => {
    assert.equal(make({ memory: 64 * MIB }), undefined);
    assert.equal(existsSync(path), false);
  });

  it("is a swap area, takes no room, and goes with its machine", () => {
    const made = make({ memory: 64 * MIB, memorySwap: 80 * MIB, memorySwappiness: 5 });
    assert.deepEqual(made?.swap, { serial: "dvm-swap", swappiness: 5 });
    assert.deepEqual([made?.disk.disposable, made?.disk.readOnly], [true, false]);
    // which ends with an error for a file without the header
    execFileSync("swaplabel", [path], { env: { PATH: "/usr/sbin:/sbin" }, stdio: "pipe" });
    const { size, blocks, mode } = statSync(path);
    assert.deepEqual([size, mode & 0o777], [16 * MIB + 4096, 0o600]);
    assert.ok(blocks * 512 < MIB);
    removeSwapDisk(root, id);
    assert.equal(existsSync(path), false);
  });
});
