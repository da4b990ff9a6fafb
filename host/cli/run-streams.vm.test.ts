import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

describe("the streams of dvm run", () => {
  it("carry 50 MB in and out, byte for byte", async () => {
    const bytes = randomBytes(50_000_000);
    const path = join(user.folder, "random");
    writeFileSync(path, bytes);
    const { code, err } = await user.shell(
      `"$DVM" run --rm -i busybox cat <"${path}" | cat >"${path}.out"; exit \${PIPESTATUS[0]}`,
    );
    assert.deepEqual([code, err], [0, ""]);
    assert.equal(sha256(readFileSync(`${path}.out`)), sha256(bytes));
  });

  it("wait for a reader that takes its time, and lose nothing", async () => {
    const { out } = await user.shell(
      '"$DVM" run --rm busybox sh -c "yes | head -c 3000000" | (sleep 2; wc -c)',
    );
    assert.equal(out.trim(), "3000000");
  });

  it("end with a reader that has gone: the container too, with SIGPIPE's code", async () => {
    const { out } = await user.shell(
      `"$DVM" run --rm busybox yes | head -1; echo \${PIPESTATUS[0]}`,
    );
    assert.equal(out, "y\n141\n");
    assert.deepEqual(user.leftovers(), []);
  });

  it("do not need a process that reads all of its input", async () => {
    const { out } = await user.shell(
      `yes | "$DVM" run --rm -i busybox head -1; echo \${PIPESTATUS[1]}`,
    );
    assert.equal(out, "y\n0\n");
  });

  it("may be closed, each of them", async () => {
    const script = "cat; echo out; echo err >&2; exit 3";
    const run = `"$DVM" run --rm -i busybox sh -c '${script}'`;
    const { out, err } = await user.shell(
      `${run} <&-; echo $?; ${run} </dev/null >&-; echo $?; ${run} </dev/null 2>&-; echo $?`,
    );
    assert.equal(out, "out\n3\n3\nout\n3\n");
    assert.equal(err, "err\nerr\n");
  });

  it("tell of a file that takes no more", async () => {
    const { out, err } = await user.shell(
      '"$DVM" run --rm busybox sh -c "echo hi; sleep 1000" >/dev/full; echo $?',
    );
    assert.equal(out, "125\n");
    assert.match(err, /^dvm: cannot write the container's output: no space left on device\n$/);
    assert.deepEqual(user.leftovers(), []);
  });

  it("are those that -a names", async () => {
    const { out, err } = await user.dvm([
      "run",
      "--rm",
      "-a",
      "stderr",
      "busybox",
      "sh",
      "-c",
      "echo out; echo err >&2",
    ]);
    assert.deepEqual([out, err], ["", "err\n"]);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
