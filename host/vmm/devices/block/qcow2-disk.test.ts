import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { makeQcow2Overlay } from "../../../rootfs/qcow2-overlay.ts";
import { SystemCallError } from "../../kvm/system.ts";
import { TestSystem } from "../../kvm/test-system.ts";
import { createGuestMemory } from "../../memory/guest-memory.ts";
import { Buffers } from "../virtio/chain.ts";
import { FileTransfer } from "./file-transfer.ts";
import { Qcow2Disk } from "./qcow2-disk.ts";

const CLUSTER = 65_536;
const SECTOR = 512;
/** Not a whole number of clusters, and more than one slice of a second table can tell of. */
const SIZE = 40 * 1024 * 1024 + 3 * SECTOR;
const SECTORS = SIZE / SECTOR;
/** The disk below ends before the one above it. */
const BELOW = Uint8Array.from({ length: 5 * CLUSTER + SECTOR }, (_, at) => 1 + (at % 251));

const folder = mkdtempSync(join(tmpdir(), "dvm-qcow2-disk-"));
after(() => rmSync(folder, { recursive: true }));
const skip = spawnSync("qemu-img", ["--version"]).error ? "there is no qemu-img" : false;
await makeQcow2Overlay(join(folder, "empty"), { bytes: SIZE, backing: "below" });
writeFileSync(join(folder, "below"), BELOW);
const empty = readFileSync(join(folder, "empty"));

/** A disk whose file has that content, with buffers to reach it by. */
function diskOf(content: Uint8Array = empty) {
  const system = new TestSystem();
  const memory = createGuestMemory(system, [{ start: 0, length: 1024 * 1024 }]);
  const transfer = new FileTransfer(system);
  const [fd, backing] = [system.file(Uint8Array.from(content)), system.file(BELOW)];
  const open = () => new Qcow2Disk(transfer, { fd, backing });
  const data = (length: number) => {
    const buffers = new Buffers(2);
    const half = Math.floor(length / 2); // in two pieces, as guests have them
    buffers.append(memory.locate(4096, half), half);
    buffers.append(memory.locate(4096 + half, length - half), length - half);
    return { buffers, position: 0, length };
  };
  const disk = open();
  return {
    system,
    disk,
    open,
    read: (offset: number, length: number, from = disk) => {
      const range = data(length);
      from.read(offset, range);
      const bytes = new Uint8Array(length);
      range.buffers.read(0, bytes);
      return bytes;
    },
    write: (offset: number, bytes: Uint8Array) => {
      const range = data(bytes.length);
      range.buffers.write(0, bytes);
      disk.writer.write(offset, range);
    },
    content: () => system.files.get(fd) ?? new Uint8Array(),
    below: () => system.files.get(backing),
  };
}

type Step =
  | { readonly kind: "write" | "zero" | "discard"; readonly sector: number; readonly count: number }
  | { readonly kind: "flush" };

/** Some of the disk's ranges, most of them where others are. */
const range = fc.record({
  kind: fc.constantFrom("write" as const, "zero" as const, "discard" as const),
  sector: fc.oneof(
    fc.nat({ max: 8 * 128 }),
    fc.nat({ max: SECTORS - 1 }),
    fc.integer({ min: SECTORS - 200, max: SECTORS - 1 }),
  ),
  count: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(128)),
});
const steps = fc.array(fc.oneof(range, fc.constant({ kind: "flush" as const })), { maxLength: 25 });

/** Does the steps to a disk and to plain bytes, which are to be the same. Discarded is what reads as it was, or as zeros. */
function perform(all: readonly Step[]) {
  const machine = diskOf();
  const expected = new Uint8Array(SIZE);
  expected.set(BELOW);
  for (const [index, step] of all.entries()) {
    if (step.kind === "flush") {
      machine.disk.writer.flush();
      continue;
    }
    const offset = step.sector * SECTOR;
    const length = Math.min(step.count * SECTOR, SIZE - offset);
    if (step.kind === "write") {
      const bytes = new Uint8Array(length).fill(0x80 + index);
      machine.write(offset, bytes);
      expected.set(bytes, offset);
    } else if (step.kind === "zero") {
      machine.disk.writer.writeZeroes(offset, length, index % 2 === 0);
      expected.fill(0, offset, offset + length);
    } else {
      const before = machine.read(offset, length);
      machine.disk.writer.discard(offset, length);
      const now = machine.read(offset, length);
      assert.ok(now.every((byte, at) => byte === 0 || byte === before[at]));
      expected.set(now, offset);
    }
  }
  return { ...machine, expected };
}

/** All of the disk. */
function all({ read }: Pick<ReturnType<typeof diskOf>, "read">, from?: Qcow2Disk): Buffer {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < SIZE; at += 8 * CLUSTER) {
    chunks.push(read(at, Math.min(8 * CLUSTER, SIZE - at), from));
  }
  return Buffer.concat(chunks);
}

/** Has QEMU open it for writing, when it makes the reference counts anew, and says what qemu-img finds then. */
function openByQemu(path: string): Readonly<Record<string, unknown>> {
  execFileSync("qemu-io", ["-c", "flush", path], { stdio: "ignore" });
  const options = { encoding: "utf8" } as const;
  return JSON.parse(execFileSync("qemu-img", ["check", "--output=json", path], options));
}

describe("a disk in the format qcow2", () => {
  it("is what was written above the disk below it, which stays as it was, now and when it is opened again", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const machine = perform(list);
        assert.ok(all(machine).equals(machine.expected));
        machine.disk.writer.flush();
        assert.ok(all(machine, machine.open()).equals(machine.expected));
        assert.deepEqual(machine.below(), BELOW);
      }),
      { numRuns: 30 },
    );
  });

  it("is for qemu-img what it is for us, without an error or a leak", { skip }, () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { disk, content, expected } = perform(list);
        disk.writer.flush();
        writeFileSync(join(folder, "ours"), content());
        const about = openByQemu(join(folder, "ours"));
        assert.equal(about["check-errors"], 0);
        assert.equal(about.leaks, undefined);
        execFileSync("qemu-img", [
          "convert",
          "-O",
          "raw",
          join(folder, "ours"),
          join(folder, "raw"),
        ]);
        assert.ok(readFileSync(join(folder, "raw")).equals(expected));
      }),
      { numRuns: 5 },
    );
  });

  it("is for us what qemu-io has made of it, and for qemu-img still sound when we have gone on", {
    skip,
  }, () => {
    const path = join(folder, "theirs");
    writeFileSync(path, empty);
    const commands = [
      "write -P 7 100k 300k",
      "write -z 150k 200k",
      "discard 30k 200k",
      "write -P 9 39m 1m",
    ];
    execFileSync("qemu-io", [...commands.flatMap((each) => ["-c", each]), path]);
    execFileSync("qemu-img", ["convert", "-O", "raw", path, join(folder, "raw")]);
    const expected = readFileSync(join(folder, "raw"));
    const machine = diskOf(readFileSync(path));
    assert.ok(all(machine).equals(expected));
    const bytes = new Uint8Array(3 * CLUSTER).fill(5);
    for (const offset of [0, 120 * 1024, SIZE - bytes.length]) {
      machine.write(offset, bytes);
      expected.set(bytes, offset);
    }
    machine.disk.writer.flush();
    writeFileSync(path, machine.content());
    assert.equal(openByQemu(path)["check-errors"], 0);
    execFileSync("qemu-img", ["convert", "-O", "raw", path, join(folder, "raw")]);
    assert.ok(readFileSync(join(folder, "raw")).equals(expected));
  });

  it("is as it was after its last flush when the host loses power before the next", () => {
    const machine = diskOf();
    machine.write(SECTOR, new Uint8Array(SECTOR).fill(7));
    machine.disk.writer.flush();
    const before = all(machine);
    machine.write(3 * CLUSTER + SECTOR, new Uint8Array(CLUSTER).fill(8));
    assert.ok(all(machine, machine.open()).equals(before));
  });

  it("syncs what it leads to before what leads to it", () => {
    const machine = diskOf();
    machine.write(0, new Uint8Array(SECTOR));
    machine.disk.writer.flush();
    assert.equal(machine.system.syncs.length, 2);
    machine.write(SECTOR, new Uint8Array(SECTOR));
    machine.disk.writer.flush();
    assert.equal(machine.system.syncs.length, 3);
  });

  it("refuses a file that is none, or has what it does not know", () => {
    const changed = (at: number, value: number) => {
      const bytes = Uint8Array.from(empty);
      bytes[at] = value;
      return bytes;
    };
    const encrypted = 35;
    const clusterBits = 23;
    const snapshots = 63;
    const incompatible = 79;
    const bitmaps = 95;
    for (const at of [0, 7, clusterBits, encrypted, snapshots, incompatible, bitmaps]) {
      assert.throws(() => diskOf(changed(at, 2)), SystemCallError);
    }
    assert.throws(() => diskOf(new Uint8Array()), SystemCallError);
    assert.throws(() => diskOf(changed(24, 1)), SystemCallError); // larger than its table
  });

  it("stays within its file and ends with errors alone whatever is in that", () => {
    const flips = fc.array(fc.tuple(fc.nat({ max: 4 * CLUSTER - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 40,
    });
    const hot = fc.array(
      fc.tuple(fc.integer({ min: 3 * CLUSTER, max: 3 * CLUSTER + 15 }), fc.nat({ max: 255 })),
    );
    fc.assert(
      fc.property(flips, hot, (anywhere, table) => {
        const bytes = Uint8Array.from(empty);
        for (const [at, value] of [...anywhere, ...table]) bytes[at] = value;
        try {
          const machine = diskOf(bytes);
          for (const offset of [0, 4 * CLUSTER, machine.disk.length - SECTOR]) {
            if (offset < 0 || offset + SECTOR > machine.disk.length) continue;
            machine.write(offset, new Uint8Array(SECTOR).fill(1));
            assert.deepEqual(machine.read(offset, SECTOR), new Uint8Array(SECTOR).fill(1));
            machine.disk.writer.flush();
          }
          assert.deepEqual(machine.below(), BELOW);
        } catch (error) {
          if (!(error instanceof SystemCallError)) throw error;
        }
      }),
    );
  });
});
