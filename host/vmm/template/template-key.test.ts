import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { processorIdentity, templateKey } from "./template-key.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-template-key-"));
after(() => rmSync(folder, { recursive: true }));
const kernel = join(folder, "kernel");
writeFileSync(kernel, "one");

const SUBJECT = { args: ["-m", "512M"], files: [kernel], accelerator: "tcg" } as const;

describe("templateKey", () => {
  it("is the same for the same machine", async () => {
    assert.deepEqual(await templateKey(SUBJECT), await templateKey(SUBJECT));
  });

  it("is another for another shape", async () => {
    const [one, other] = await Promise.all([
      templateKey(SUBJECT),
      templateKey({ ...SUBJECT, args: ["-m", "513M"] }),
    ]);
    assert.notEqual(one.key, other.key);
    assert.notEqual(one.shape, other.shape);
  });

  it("is another for the same shape when a file was written, even with the same bytes", async () => {
    const before = await templateKey(SUBJECT);
    writeFileSync(`${kernel}.new`, "one");
    const moved = await templateKey({ ...SUBJECT, files: [`${kernel}.new`] });
    assert.notEqual(before.key, moved.key);
    assert.equal(before.shape, moved.shape);
  });

  it("fails for a file that is not there", async () => {
    const files = [join(folder, "missing")];
    await assert.rejects(templateKey({ ...SUBJECT, files }), { code: "ENOENT" });
  });
});

describe("processorIdentity", () => {
  const cpu =
    "processor\t: 0\nmodel name\t: A\nmicrocode\t: 0x1\ncpu MHz\t\t: 2000.1\nflags\t\t: fpu\n";

  it("is what a guest sees of the first processor, not its speed at the moment", () => {
    const lines = ["model name\t: A", "microcode\t: 0x1", "flags\t\t: fpu"];
    assert.deepEqual(processorIdentity(`${cpu}\n${cpu.replace("A", "B")}`), lines);
  });
});
