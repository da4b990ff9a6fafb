import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestUser } from "../test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const PLAIN = ["run", "--rm", "--network", "none"];
/** A Node that does nothing but fail: whoever needs one is seen. */
const NO_NODE = "DVM_NODE=/bin/false";

/** What Node makes of a byte that is no UTF-8: U+FFFD. */
const NODES_WORDS = "a 357 277 275 5 b \\n";

describe("dvm run without Node", () => {
  // the daemon needs one
  before(() => user.dvm(["ps"]));

  it("starts a container, hands on both outputs and ends with its code", async () => {
    const script = "echo out; echo err >&2; exit 7";
    const line = `${NO_NODE} "$DVM" ${PLAIN.join(" ")} -e A=b busybox sh -c '${script}'`;
    assert.deepEqual(await user.shell(line), { code: 7, out: "out\n", err: "err\n" });
    assert.deepEqual(user.leftovers(), []);
  });

  it("carries much output as it is, at its reader's pace", async () => {
    const count = 300_000;
    const line = `${NO_NODE} "$DVM" ${PLAIN.join(" ")} busybox seq ${count} | { sleep 1; md5sum; }`;
    const { out } = await user.shell(`${line}; seq ${count} | md5sum`);
    const [carried, expected] = out.trim().split("\n");
    assert.equal(carried, expected);
  });

  it("starts one in the background and says its id alone", async () => {
    const flags = "-d --rm --network none --name background";
    const { code, out, err } = await user.shell(
      `${NO_NODE} "$DVM" run ${flags} busybox sleep 1000`,
    );
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(out, /^[0-9a-f]{64}\n$/);
    await user.dvm(["rm", "-f", "background"]);
  });

  it("hands signals on to the container", async () => {
    const script = 'trap "echo got; exit 5" TERM; echo up; while :; do sleep 0.1; done';
    const line = `"$DVM" ${PLAIN.join(" ")} busybox sh -c '${script}' & sleep 5; kill $!; wait $!`;
    const { code, out, err } = await user.shell(`export ${NO_NODE}; ${line}`);
    assert.deepEqual({ code, out, err }, { code: 5, out: "up\ngot\n", err: "" });
  });

  it("gives up on a reader that does not read at the second signal after the end", async () => {
    const run = `exec "$DVM" ${PLAIN.join(" ")} busybox seq 100000`;
    const { out } = await user.shell(
      `export ${NO_NODE}; (${run}) > >(sleep 12) & sleep 8; kill $!; sleep 1; kill $!; wait $!; echo "code $?"`,
    );
    assert.equal(out, "code 143\n");
  });

  it("writes nowhere else when its own outputs are closed", async () => {
    const run = `"$DVM" ${PLAIN.join(" ")} busybox sh -c 'echo out; echo err >&2; exit 4'`;
    for (const closed of ["0<&- 1>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"]) {
      const { code } = await user.shell(`${NO_NODE} ${run} ${closed}`);
      assert.deepEqual({ closed, code }, { closed, code: 4 });
    }
  });

  it("leaves words that are no UTF-8 to Node, as they are", async () => {
    const { out, code } = await user.shell(
      `"$DVM" ${PLAIN.join(" ")} busybox echo $'a\\xa35b' | od -An -c`,
    );
    assert.deepEqual(
      { out: out.replaceAll(/\s+/g, " ").trim(), code },
      { out: NODES_WORDS, code: 0 },
    );
  });

  it("ends the container when nobody reads its output any more", async () => {
    const run = `${NO_NODE} "$DVM" ${PLAIN.join(" ")} busybox yes`;
    const { out } = await user.shell(
      `{ { ${run}; echo "code $?" >&3; } | head -1 >/dev/null; } 3>&1`,
    );
    assert.equal(out, "code 141\n");
    assert.deepEqual(user.leftovers(), []);
  });

  it("follows its container to the next daemon, without a byte lost or repeated", async () => {
    const script = "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 9";
    const run = user.start([...PLAIN, "busybox", "sh", "-c", script]);
    await run.says("line 5");
    const { daemon } = user;
    assert.ok(daemon !== undefined);
    process.kill(daemon, "SIGKILL");
    const lines = Array.from({ length: 60 }, (_, index) => `line ${index}\n`);
    assert.deepEqual(await run.result, { code: 9, out: lines.join(""), err: "" });
  });

  it("leaves to Node what it does not know, before anything is made", async () => {
    for (const flags of ["-i", "--pull always", "--no-such-flag"]) {
      const line = `${NO_NODE} "$DVM" ${PLAIN.join(" ")} ${flags} busybox true`;
      const { code, out } = await user.shell(line);
      assert.deepEqual({ flags, code, out }, { flags, code: 1, out: "" });
    }
    const elsewhere = await user.shell(
      `DVM_QUICK=off ${NO_NODE} "$DVM" ${PLAIN.join(" ")} busybox true`,
    );
    assert.equal(elsewhere.code, 1);
    assert.deepEqual(user.leftovers(), []);
  });
});
