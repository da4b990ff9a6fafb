import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { examine } from "./examine.ts";
import { kernelRelease } from "./kernel-release.ts";
import { kvmFinding, memoryFinding, nodeFinding, sharesFinding } from "./machine-checks.ts";
import { programSays } from "./program.ts";
import { qemuVersion } from "./version-info.ts";

describe("an examination", () => {
  it("is in order unless something failed", async () => {
    const ok = { name: "a", look: async () => ({ status: "ok" as const, detail: "fine" }) };
    const warn = { name: "b", look: async () => ({ status: "warn" as const, detail: "hm" }) };
    assert.deepEqual(await examine([ok, warn]), {
      version: 1,
      ok: true,
      checks: [
        { name: "a", status: "ok", detail: "fine" },
        { name: "b", status: "warn", detail: "hm" },
      ],
    });
  });

  it("counts a check that cannot be made as failed", async () => {
    const look = async () => Promise.reject(new Error("EIO"));
    const { ok, checks } = await examine([{ name: "a", look }]);
    assert.equal(ok, false);
    assert.deepEqual(checks, [{ name: "a", status: "fail", detail: "EIO" }]);
  });
});

describe("a verdict", () => {
  it("on Node asks for 24.12", () => {
    const statuses = ["20.1.0", "24.11.9", "24.12.0", "25.0.0"].map(
      (version) => nodeFinding(version).status,
    );
    assert.deepEqual(statuses, ["fail", "fail", "ok", "ok"]);
  });

  it("on memory warns of little", () => {
    assert.deepEqual(
      [1e8, 8e9].map((free) => memoryFinding(free).status),
      ["warn", "ok"],
    );
  });

  it("on KVM says why it is not used", () => {
    const refused = kvmFinding({ usable: false, reason: "it is slow", forcible: true });
    assert.deepEqual([refused.status, refused.detail], ["warn", "not used: it is slow"]);
    assert.equal(kvmFinding({ usable: true, nanoseconds: 20_000 }).status, "ok");
  });
});

describe("versions", () => {
  it("are read from what QEMU prints", () => {
    assert.equal(qemuVersion("QEMU emulator version 7.2.19 (Debian 1:7.2)"), "7.2.19");
    assert.equal(qemuVersion("what?"), undefined);
    assert.equal(qemuVersion(undefined), undefined);
  });

  it("of programs that are not there are none", async () => {
    assert.equal(await programSays("dvm-no-such-program", []), undefined);
    assert.equal(await programSays("echo", ["one\ntwo"]), "one");
  });

  it("of a kernel are found wherever its banner lies", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dvm-kernel-"));
    try {
      const path = join(folder, "vmlinux");
      for (const offset of [0, 2 ** 20 - 10, 2 ** 20 + 5]) {
        const banner = "Linux version 6.1.5-dvm (x@y)";
        writeFileSync(path, Buffer.concat([Buffer.alloc(offset), Buffer.from(banner)]));
        assert.equal(await kernelRelease(path), "6.1.5-dvm");
      }
      writeFileSync(path, "no kernel");
      assert.equal(await kernelRelease(path), undefined);
      assert.equal(await kernelRelease(join(folder, "none")), undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("shared folders", () => {
  it("want virtiofsd, and for users other than root subordinate ones", () => {
    assert.equal(sharesFinding(undefined, []).status, "warn");
    assert.equal(sharesFinding("/v", []).status, "ok");
    assert.equal(sharesFinding("/v", ["--user", "--map-users=1,1,1"]).status, "ok");
    assert.match(sharesFinding("/v", ["--user"]).detail, /root's alone/);
  });
});
