import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

/** A machine takes a second of a processor here. */
const COUNT = process.env.DVM_NIGHTLY === undefined ? 12 : 50;

const dvmd = new TestDvmd();

describe("many containers that are started at once", { skip: await noDocker() }, () => {
  before(() => dvmd.start());
  after(() => dvmd[Symbol.asyncDispose]());

  it("all run, each with its own output and exit code, and leave nothing", async () => {
    const numbers = Array.from({ length: COUNT }, (_, index) => index);
    const outcomes = await Promise.all(
      numbers.map((number) =>
        dvmd.docker([
          ...["run", "--rm", "-m", "64m", "--network", "none", "busybox"],
          ...["sh", "-c", `echo out ${number}; echo err ${number} >&2; exit ${number}`],
        ]),
      ),
    );
    assert.deepEqual(
      outcomes,
      numbers.map((n) => ({ code: n, out: `out ${n}\n`, err: `err ${n}\n` })),
    );
    assert.equal(await dvmd.succeed("ps", "-aq"), "");
  });

  it("all run in the background, and end when they are told to", async () => {
    const names = Array.from({ length: COUNT }, (_, index) => `many${index}`);
    await Promise.all(
      names.map((name) =>
        dvmd.succeed("run", "-d", "--name", name, "-m", "64m", "busybox", "sleep", "1000"),
      ),
    );
    const running = (await dvmd.succeed("ps", "--format", "{{.Names}}")).trim().split("\n");
    assert.deepEqual(new Set(running), new Set(names));
    await dvmd.succeed("rm", "-f", ...names);
    assert.equal(await dvmd.succeed("ps", "-aq"), "");
  });
});
