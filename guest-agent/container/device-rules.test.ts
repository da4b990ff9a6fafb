import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { Cgroup } from "./cgroup.ts";
import { deviceProgram, restrictDevices } from "./device-rules.ts";

const BLOCK = 1;
const CHARACTER = 2;
const MKNOD = 1;
const READ = 2;
const WRITE = 4;

interface Access {
  readonly type: number;
  readonly access: number;
  readonly major: number;
  readonly minor: number;
}

/** What eBPF makes of the program: the instructions that it uses, by their codes (linux/bpf.h). */
function allows(program: Uint8Array, { type, access, major, minor }: Access): boolean {
  const context = new Map([
    [0, ((access << 16) | type) >>> 0],
    [4, major],
    [8, minor],
  ]);
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const registers = new Array<number>(11).fill(0);
  for (let pc = 0; ; pc++) {
    assert.ok(pc >= 0 && pc * 8 < program.length, "the program leaves itself");
    const names = view.getUint8(pc * 8 + 1);
    const dst = names & 15;
    const off = view.getInt16(pc * 8 + 2, true);
    const imm = view.getInt32(pc * 8 + 4, true);
    const left = registers[dst] ?? 0;
    switch (view.getUint8(pc * 8)) {
      case 0x61:
        registers[dst] = context.get(off) ?? assert.fail(`a load from ${off}`);
        break;
      case 0x69:
        registers[dst] =
          ((context.get(off & ~2) ?? assert.fail(`a load from ${off}`)) >>> ((off & 2) * 8)) &
          0xffff;
        break;
      case 0xb7:
        registers[dst] = imm;
        break;
      case 0x15:
        if (left === imm) pc += off;
        break;
      case 0x55:
        if (left !== imm) pc += off;
        break;
      case 0x45:
        if ((left & imm) !== 0) pc += off;
        break;
      case 0x05:
        pc += off;
        break;
      case 0x95:
        return registers[0] === 1;
      default:
        assert.fail(`unknown instruction ${view.getUint8(pc * 8)}`);
    }
  }
}

describe("device rules", () => {
  const program = deviceProgram([{ major: 1, minor: 3 }, { major: 5, minor: 0 }, { major: 136 }]);
  const opened = (major: number, minor: number, type = CHARACTER, access = READ | WRITE) =>
    allows(program, { type, access, major, minor });

  it("let the devices that are named be opened, and all of a major without a minor", () => {
    assert.deepEqual(
      [opened(1, 3), opened(5, 0), opened(136, 0), opened(136, 900)],
      [true, true, true, true],
    );
  });

  it("forbid every other device", () => {
    assert.deepEqual(
      [opened(1, 0), opened(1, 1), opened(3, 1), opened(5, 3), opened(254, 0)],
      [false, false, false, false, false],
    );
  });

  it("forbid disks, whatever their numbers, for reading too", () => {
    assert.equal(opened(1, 3, BLOCK), false);
    assert.equal(opened(254, 0, BLOCK, READ), false);
  });

  it("let any node be made, and only made", () => {
    assert.equal(opened(254, 0, BLOCK, MKNOD), true);
    assert.equal(opened(254, 0, BLOCK, MKNOD | READ), false);
  });

  it("allow further ones by kind, numbers and what is done, and nothing beside", () => {
    const both = { read: true, write: true };
    const further = deviceProgram(
      [{ major: 1, minor: 3 }],
      [
        { type: "block", major: 254, minor: 16, access: { read: true, write: false } },
        { type: "all", major: 10, access: both },
        { type: "character", minor: 7, access: { read: false, write: true } },
      ],
    );
    const may = (type: number, access: number, major: number, minor: number) =>
      allows(further, { type, access, major, minor });
    assert.deepEqual(
      [
        may(CHARACTER, READ | WRITE, 1, 3),
        may(BLOCK, READ, 254, 16),
        may(CHARACTER, READ | WRITE, 10, 1),
        may(BLOCK, WRITE, 10, 99),
        may(CHARACTER, WRITE, 200, 7),
      ],
      [true, true, true, true, true],
    );
    assert.deepEqual(
      [
        may(BLOCK, WRITE, 254, 16),
        may(BLOCK, READ, 254, 0),
        may(CHARACTER, READ, 254, 16),
        may(BLOCK, READ, 1, 3),
        may(CHARACTER, READ, 200, 7),
        may(BLOCK, WRITE, 200, 7),
      ],
      [false, false, false, false, false, false],
    );
    const all = deviceProgram([], [{ type: "all", access: both }]);
    assert.equal(allows(all, { type: BLOCK, access: READ | WRITE, major: 9, minor: 9 }), true);
  });

  it("are attached to the group, and leave no descriptor", () => {
    const fake = new RecordingSyscalls().folder("/cg").on("bpf_prog_load", () => 77);
    const cgroup = Cgroup.create(fake.sys, "/cg", "c1");
    fake.on("open", () => 55);
    restrictDevices(fake.sys, cgroup);
    assert.deepEqual(fake.made("bpf_prog_attach", "close"), [
      ["bpf_prog_attach", { program: 77, target: 55, attachType: 6, flags: 2 }],
      ["close", 77],
      ["close", 55],
    ]);
  });

  it("fail the container where the kernel refuses them", () => {
    const fake = new RecordingSyscalls().folder("/cg");
    const cgroup = Cgroup.create(fake.sys, "/cg", "c1");
    fake.fail("bpf_prog_load", "EPERM");
    assert.throws(() => restrictDevices(fake.sys, cgroup), /cannot restrict devices: EPERM/);
  });
});
