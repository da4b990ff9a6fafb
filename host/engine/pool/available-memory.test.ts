import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { availableMemory } from "./available-memory.ts";

const root = mkdtempSync(join(tmpdir(), "dvm-memory-"));
after(() => rmSync(root, { recursive: true }));
let hosts = 0;

const MIB = 2 ** 20;

/** A host whose kernel tells this. */
function host(files: Readonly<Record<string, string>>) {
  const folder = join(root, String(hosts++));
  const all = { "proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    4194304 kB\n", ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return { proc: join(folder, "proc"), cgroups: join(folder, "cgroups") };
}

describe("the memory that is available", () => {
  it("is the host's where there is no control group", () => {
    assert.equal(availableMemory(host({})), 4096);
    assert.equal(availableMemory(host({ "proc/self/cgroup": "0::/\n" })), 4096);
  });

  it("is what the narrowest of the control groups has left, without what files hold", () => {
    const group = {
      "proc/self/cgroup": "0::/system.slice/dvmd.service\n",
      "cgroups/system.slice/memory.max": `${1000 * MIB}\n`,
      "cgroups/system.slice/memory.current": `${900 * MIB}\n`,
      "cgroups/system.slice/memory.stat": `anon 5\ninactive_file ${300 * MIB}\n`,
      "cgroups/system.slice/dvmd.service/memory.max": "max\n",
      "cgroups/system.slice/dvmd.service/memory.current": `${800 * MIB}\n`,
    };
    assert.equal(availableMemory(host(group)), 400);
  });

  it("is none that anybody could count on where the host does not tell", () => {
    assert.equal(availableMemory(host({ "proc/meminfo": "" })), 0);
  });
});
