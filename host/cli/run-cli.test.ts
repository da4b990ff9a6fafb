import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { engineError } from "../engine/errors.ts";
import { type TestEngine, testEngine } from "../engine/test-engine.ts";
import { type CliResult, callCli } from "./test-cli.ts";
import { testDaemon } from "./test-daemon.ts";

/** Calls dvm over a daemon with a fake hypervisor. */
async function dvm(test: TestEngine, words: string[], input = ""): Promise<CliResult> {
  await using daemon = await testDaemon(test);
  return await callCli(daemon, words, input);
}

describe("dvm", () => {
  it("shows its help without a command, with --help and with help", async () => {
    using test = testEngine();
    const [bare, flag, word] = [
      await dvm(test, []),
      await dvm(test, ["--help"]),
      await dvm(test, ["help"]),
    ];
    assert.match(bare.out, /^Usage: {2}dvm \[OPTIONS\] COMMAND\n/);
    assert.deepEqual([flag, word], [bare, bare]);
    assert.equal(bare.code, 0);
  });

  it("shows a command's help", async () => {
    using test = testEngine();
    const { out, code } = await dvm(test, ["run", "--help"]);
    assert.match(out, /^Usage: {2}dvm run \[OPTIONS\] IMAGE \[COMMAND\] \[ARG\.\.\.\]\n/);
    assert.match(out, /-e, --env list +Set environment variables/);
    assert.equal(code, 0);
    assert.deepEqual(await dvm(test, ["help", "run"]), { out, code, err: "" });
  });

  const refused: [string[], number, RegExp][] = [
    [["bogus"], 1, /^dvm: unknown command: dvm bogus\n\nRun 'dvm --help' for more information\n$/],
    [["build", "."], 1, /^dvm: unknown command: dvm build\n {2}hint: build it with docker, .*\n/],
    [["ps", "--format", "{{.ID"], 1, /^dvm: template parsing error: /],
    [
      ["volume", "create", "--name", "a", "b"],
      1,
      /^dvm: conflicting options: either specify --name or provide positional arg, not both/,
    ],
    [["--bogus"], 125, /^unknown flag: --bogus\n\nUsage: {2}dvm \[OPTIONS\] COMMAND/],
    [["run"], 1, /^dvm: 'dvm run' requires at least 1 argument\n/],
    [["run", "--bogus", "x"], 125, /^unknown flag: --bogus\n\nUsage: {2}dvm run/],
    [
      ["run", "-m", "abc", "x"],
      125,
      /^invalid argument "abc" for "-m, --memory" flag: invalid size/,
    ],
    [["run", "--gpus", "all", "x"], 125, /^dvm: --gpus is not supported yet\n {2}hint: /],
    [["run", "-d", "-a", "stdin", "x"], 1, /^dvm: conflicting options: cannot specify both/],
    [["run", "-it", "x"], 1, /^dvm: the input device is not a TTY\n/],
    [["run", "--name", "a b", "x"], 125, /^dvm: invalid container name \(a b\), only/],
    [["run", "-m", "5m", "x"], 125, /^dvm: minimum memory limit allowed is 6MB\n/],
    [["run", "-w", "rel", "x"], 125, /the working directory 'rel' is invalid/],
    [["ps", "x"], 1, /'dvm ps' accepts no arguments/],
    [["rm"], 1, /'dvm rm' requires at least 1 argument/],
    [["rm", "nobody"], 1, /^dvm: No such container: nobody\n/],
  ];
  for (const [words, code, message] of refused) {
    it(`refuses: dvm ${words.join(" ")}`, async () => {
      using test = testEngine();
      const result = await dvm(test, words);
      assert.match(result.err, message);
      assert.equal(result.code, code);
      assert.deepEqual(test.leftovers(), []);
    });
  }
});

describe("dvm run", () => {
  it("has the command's exit code, its output and its errors", async () => {
    using test = testEngine({ out: "out", err: "err", code: 42 });
    const result = await dvm(test, ["run", "--rm", "busybox", "sh"]);
    assert.deepEqual(result, { code: 42, out: "out", err: "err" });
    assert.deepEqual(test.leftovers(), []);
  });

  it("hands its input on with -i", async () => {
    using test = testEngine({ cat: true });
    const { out } = await dvm(test, ["run", "--rm", "-i", "busybox", "cat"], "some input");
    assert.equal(out, "some input");
  });

  it("says the id when nothing of the container is seen, with -a stdin", async () => {
    using test = testEngine({ cat: true });
    const { out, code } = await dvm(test, ["run", "-i", "-a", "stdin", "busybox", "cat"], "x");
    assert.match(out, /^[0-9a-f]{64}\n$/);
    assert.equal(code, 0);
  });

  it("attaches to what -a names alone", async () => {
    using test = testEngine({ out: "out", err: "err" });
    const result = await dvm(test, ["run", "--rm", "-a", "stderr", "busybox"].concat("x"));
    assert.deepEqual([result.out, result.err], ["", "err"]);
  });

  for (const exitCode of [125, 126, 127]) {
    it(`ends with ${exitCode} when the guest says so`, async () => {
      using test = testEngine({ refuse: { type: "container.start", code: "REFUSED", exitCode } });
      const result = await dvm(test, ["run", "--rm", "busybox", "x"]);
      assert.equal(result.code, exitCode);
      assert.equal(result.err, "dvm: no REFUSED\n");
    });
  }

  it("says why a container ended without an exit code of its own", async () => {
    using test = testEngine({ vanishOn: "container.start" });
    const result = await dvm(test, ["run", "--rm", "busybox", "x"]);
    assert.equal(result.code, 125);
    assert.match(result.err, /^dvm: the guest's kernel panicked: /);
  });

  it("writes the id to --cidfile, refuses a file that is there, leaves none after a failure", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dvm-cid-"));
    const path = join(folder, "cid");
    try {
      using good = testEngine();
      await dvm(good, ["run", "--rm", "--cidfile", path, "busybox", "x"]);
      assert.match(readFileSync(path, "utf8"), /^[0-9a-f]{64}$/);
      const again = await dvm(good, ["run", "--rm", "--cidfile", path, "busybox", "x"]);
      assert.match(again.err, /^dvm: container ID file found, make sure/);
      assert.equal(again.code, 125);
      rmSync(path);
      const fail = async () => Promise.reject(engineError("NOT_SUPPORTED", "no image"));
      using bad = testEngine({}, { prepareImage: fail });
      await dvm(bad, ["run", "--rm", "--cidfile", path, "busybox", "x"]);
      assert.equal(existsSync(path), false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("tells the phases with --verbose", async () => {
    using test = testEngine({ out: "x" });
    const { code, err } = await dvm(test, ["run", "--rm", "--verbose", "busybox", "x"]);
    assert.equal(code, 0);
    for (const phase of ["image", "writable-disk", "hello", "process-start", "first-output"]) {
      assert.match(err, new RegExp(`^dvm: \\[ *\\d+ ms\\] ${phase} +[\\d.]+ ms$`, "m"));
    }
    assert.match(err, /^dvm: machine: qemu, tcg, 512 MiB, 1 vCPU: a test$/m);
  });

  it("prints the id alone with -d, and the container runs on", async () => {
    using test = testEngine({ untilSignalled: true });
    await using daemon = await testDaemon(test);
    const { out, err, code } = await callCli(daemon, [
      "run",
      "-d",
      "--name",
      "web",
      "busybox",
      "x",
    ]);
    assert.match(out, /^[0-9a-f]{64}\n$/);
    assert.deepEqual([err, code], ["", 0]);
    assert.match((await callCli(daemon, ["ps"])).out, / Up .* web\n$/);
    assert.equal((await callCli(daemon, ["rm", "-f", "web"])).code, 0);
    assert.deepEqual(test.leftovers(), []);
  });
});

describe("dvm ps and dvm rm", () => {
  it("list and remove what a run has left", async () => {
    using test = testEngine({ code: 3 });
    await dvm(test, ["run", "--name", "web", "busybox", "sh", "-c", "a long command line"]);
    const { out: running } = await dvm(test, ["ps", "-q"]);
    assert.equal(running, "");
    const { out: all } = await dvm(test, ["ps", "-a"]);
    assert.match(
      all,
      /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12} +busybox +"sh -c 'a long comma…" +.* ago +Exited \(3\) .* ago +web\n$/,
    );
    assert.deepEqual(await dvm(test, ["rm", "web"]), { code: 0, out: "web\n", err: "" });
    assert.deepEqual(test.leftovers(), []);
  });

  it("go on after a container that is not there, and end with 1 unless forced", async () => {
    using test = testEngine();
    await dvm(test, ["run", "--name", "web", "busybox", "x"]);
    const result = await dvm(test, ["rm", "nobody", "web"]);
    assert.deepEqual([result.code, result.out], [1, "web\n"]);
    assert.equal((await dvm(test, ["rm", "-f", "nobody"])).code, 0);
  });

  it("get by a damaged state", async () => {
    using test = testEngine();
    await dvm(test, ["run", "--name", "web", "busybox", "x"]);
    const [id = ""] = test.leftovers();
    writeFileSync(join(test.folders.dataRoot, "containers", id, "container.json"), "{");
    assert.equal((await dvm(test, ["ps", "-a"])).code, 0);
    assert.equal((await dvm(test, ["run", "--rm", "busybox", "x"])).code, 0);
  });
});
