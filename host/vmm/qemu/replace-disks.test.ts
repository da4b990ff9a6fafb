import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { DiskConfig } from "../hypervisor.ts";
import { emptyDisks, fillDisks } from "./replace-disks.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-replace-"));
after(() => rmSync(folder, { recursive: true }));
const [layer, writable] = [join(folder, "layer"), join(folder, "writable")];
for (const path of [layer, writable]) writeFileSync(path, Buffer.alloc(4096));

const DISKS: readonly DiskConfig[] = [
  {
    serial: "image",
    readOnly: true,
    source: { kind: "extents", extents: [{ kind: "file", path: layer, offset: 0, length: 4096 }] },
  },
  {
    serial: "upper",
    readOnly: false,
    disposable: true,
    source: { kind: "file", path: writable, format: "raw" },
    limits: { read: { bytesPerSecond: 1000 } },
  },
];

/** A QMP that takes everything. */
function recorded(fails = "") {
  const commands: { readonly command: string; readonly parameters: unknown }[] = [];
  const execute = async (command: string, parameters: unknown) => {
    commands.push({ command, parameters });
    if (command === fails) throw new Error(`no ${command}`);
    return {};
  };
  const executeWith = async (_descriptor: number, command: string, parameters: unknown) => {
    commands.push({ command, parameters });
    return {};
  };
  return { qmp: { execute, executeWith }, commands };
}

describe("fillDisks", () => {
  it("names no file of the host to QEMU, and takes each descriptor back once it is open", async () => {
    const { qmp, commands } = recorded();
    await fillDisks(qmp, DISKS);
    const words = commands.map(({ command }) => command);
    assert.deepEqual(words, [
      ...["add-fd", "add-fd", "add-fd", "add-fd", "object-add"],
      ...["blockdev-add", "blockdev-reopen", "blockdev-del"],
      ...["blockdev-add", "blockdev-reopen", "blockdev-del"],
      ...["remove-fd", "remove-fd", "remove-fd", "remove-fd"],
    ]);
    const text = JSON.stringify(commands);
    assert.ok(!text.includes(layer) && !text.includes(writable), text);
    const setsOf = (wanted: string) =>
      commands
        .filter(({ command }) => command === wanted)
        .map(({ parameters }) => (parameters as { readonly "fdset-id": number })["fdset-id"]);
    const handed = setsOf("add-fd");
    assert.deepEqual(setsOf("remove-fd"), handed);
    // the layer and its zeros are named in a file, its description and the writable disk here
    const named = handed.filter((set) => text.includes(`"/dev/fdset/${set}"`));
    assert.equal(named.length, 2, text);
  });

  it("fails with the first command that does", async () => {
    await assert.rejects(fillDisks(recorded("blockdev-reopen").qmp, DISKS), {
      message: "no blockdev-reopen",
    });
  });

  it("tells of a file that is not there", async () => {
    const source = { kind: "file", path: join(folder, "missing"), format: "raw" } as const;
    const disks = [{ serial: "a", readOnly: true, source }];
    await assert.rejects(fillDisks(recorded().qmp, disks), { code: "VMM_DISK_NOT_FOUND" });
  });
});

describe("emptyDisks", () => {
  it("has zeros behind each disk and lets go of what was there", async () => {
    const { qmp, commands } = recorded();
    await emptyDisks(qmp.execute, DISKS);
    const deleted = commands.filter(({ command }) => command === "blockdev-del");
    assert.deepEqual(
      deleted.map(({ parameters }) => parameters),
      [{ "node-name": "filled0" }, { "node-name": "filled1" }],
    );
  });
});
