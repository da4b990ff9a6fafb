import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DiskConfig, Machine, MachineConfig } from "../hypervisor.ts";
import { QemuHypervisor } from "./qemu-hypervisor.ts";
import { TestGuests } from "./test-guest.ts";

const guests = new TestGuests();
after(() => guests[Symbol.dispose]());

const qemu = new QemuHypervisor({ accelerator: "tcg" });

const parts = join(guests.folder, "parts");
const image = join(guests.folder, "image, with a comma");
const disks: readonly DiskConfig[] = [
  {
    serial: "i0123456789ab",
    readOnly: true,
    source: {
      kind: "extents",
      extents: [
        { kind: "zero", length: 4096 },
        { kind: "file", path: parts, offset: 4096, length: 4096 },
      ],
    },
  },
  {
    serial: "u0123456789ab",
    readOnly: false,
    source: { kind: "file", path: image, format: "raw" },
    limits: { write: { operationsPerSecond: 1000 } },
  },
];

function writeParts(): void {
  writeFileSync(parts, Buffer.concat(["a", "b"].map((letter) => Buffer.alloc(4096, letter))));
  writeFileSync(image, Buffer.alloc(8192, "i"));
}

test("disks come to a running machine and go again, as often as they like", async () => {
  writeParts();
  await using machine = await qemu.start(guests.machine("plug"));
  const serials = disks.map(({ serial }) => serial);
  assert.equal(await linesUntil(machine, "ready"), "ready");
  for (const round of ["first", "second"]) {
    await machine.plugDisks?.(disks);
    assert.equal(
      await linesUntil(machine, "end"),
      "i0123456789ab 16 1 bbbb refused\nu0123456789ab 16 0 iiii written\nend",
    );
    assert.equal(readFileSync(image).toString("latin1", 4096, 4104), "WRITTENi", round);
    await machine.unplugDisks?.(serials);
    // nobody holds the file: it can be another machine's
    const [, upper] = disks;
    assert.ok(upper);
    await using _other = await qemu.start(guests.machine("echo", { disks: [upper] }));
    writeFileSync(image, Buffer.alloc(8192, "i"));
  }
  assert.equal(readFileSync(parts).toString("latin1", 4096, 4104), "bbbbbbbb");
});

test("a machine that is full takes no further disk, and what was begun is undone", async () => {
  writeParts();
  await using machine = await qemu.start(guests.machine("echo", { disks: fillers() }));
  for (const _ of [1, 2]) {
    await assert.rejects(async () => machine.plugDisks?.(disks), {
      code: "VMM_UNSUPPORTED",
      message: "the machine has no place for further disks",
    });
  }
});

test("a disk that another machine writes on is refused, and the others are not plugged", async () => {
  writeParts();
  await using _writer = await qemu.start(guests.machine("echo", { disks: disks.slice(1) }));
  await using machine = await qemu.start(guests.machine("plug"));
  const plug = async () => machine.plugDisks?.(disks);
  await assert.rejects(plug, /lock/);
  await assert.rejects(plug, /lock/);
});

/** Disks for all devices that a machine has room for. */
function fillers(): MachineConfig["disks"] {
  const source = { kind: "file", path: parts, format: "raw" } as const;
  return Array.from({ length: 5 }, (_, index) => ({ serial: `f${index}`, readOnly: true, source }));
}

let rest = "";

async function linesUntil(machine: Machine, last: string): Promise<string> {
  const lines: string[] = [];
  while (lines.at(-1) !== last) {
    const end = rest.indexOf("\n");
    if (end >= 0) {
      lines.push(rest.slice(0, end));
      rest = rest.slice(end + 1);
      continue;
    }
    assert.ok(!machine.agent.readableEnded, `the guest ended after ${lines.join("\n")}${rest}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    machine.agent.once("readable", resolve).once("end", resolve);
    const chunk: Buffer | null = machine.agent.read();
    if (chunk === null) await promise;
    else rest += chunk.toString("latin1");
  }
  return lines.join("\n");
}
