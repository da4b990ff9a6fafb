import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { probeHost } from "../host/vmm/probe.ts";
import { processesOf } from "./measure/processes.ts";
import { DVM } from "./paths.ts";
import { parseResult } from "./result/result.ts";

const { kvm } = await probeHost({ cacheDirectory: tmpdir() });

/** Why the baseline of the tests cannot run. */
const skip = process.getuid?.() === 0 ? false : "plain namespaces need root";

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

describe("dvm bench", () => {
  it("measures starts of namespaces and of VMs in turn, and leaves a result, a page and nothing else", {
    skip,
  }, async () => {
    using folder = new Folder();
    const result = join(folder.path, "result.json");
    const report = join(folder.path, "report");
    const arms = ["--baseline", "unshare", "--backend", "dvm-qemu-tcg"];
    const words = ["bench", "start", "--runs", "1", ...arms, "--json", result, "--report", report];
    const { stdout, stderr, code } = await folder.dvm(words);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /request to first byte of output/);
    assert.match(stdout, /dvm-qemu-tcg is emulation/);

    const {
      arms: ran,
      scenarios,
      environment,
    } = parseResult(JSON.parse(readFileSync(result, "utf8")));
    const [start] = scenarios;
    const exit = start?.metrics.find(({ name }) => name === "exit");
    assert.deepEqual(
      exit?.arms.map(({ arm, values }) => [arm, values.length]),
      [
        ["unshare", 1],
        ["dvm-qemu-tcg, kept ready", 1],
        ["dvm-qemu-tcg, cloned", 1],
        ["dvm-qemu-tcg, booted", 1],
      ],
    );
    assert.ok(start?.metrics.some(({ name }) => name === "phase:vm-boot"));
    const [namespaces, machine] = ran.map(({ control }) => control);
    assert.equal(namespaces?.kernel, environment.kernel);
    assert.notEqual(machine?.bootId, namespaces?.bootId);

    assert.match(readFileSync(join(report, "index.html"), "utf8"), /<svg class="plot strip"/);
    assert.match(readFileSync(join(report, "report.md"), "utf8"), /^# What does a VM cost\?/);
    assert.deepEqual(readdirSync(folder.path).sort(), ["report", "result.json"]);
    assert.deepEqual(await processesOf(folder.path), []);
  });

  it("holds as many containers as it may, and tells what they took", { skip }, async () => {
    using folder = new Folder();
    const result = join(folder.path, "result.json");
    const arms = ["--baseline", "unshare", "--backend", "none"];
    const words = ["bench", "density", "--count", "2", ...arms, "--json", result];
    const { stderr, code } = await folder.dvm(words);
    assert.equal(code, 0, stderr);
    const [density] = parseResult(JSON.parse(readFileSync(result, "utf8"))).scenarios;
    const medianOf = (metric: string): number =>
      density?.metrics.find(({ name }) => name === metric)?.arms[0]?.summary.median ?? Number.NaN;
    assert.equal(medianOf("containers"), 2);
    assert.ok(medianOf("left") > 0 && medianOf("left") <= 100);
    assert.ok(medianOf("rate") > 0);
  });

  it("measures nothing where the backend that is asked for does not run, and says why", {
    skip: kvm.usable ? "this machine's KVM runs Linux" : false,
  }, async () => {
    using folder = new Folder();
    const { stderr, stdout, code } = await folder.dvm([
      ...["bench", "start", "--baseline", "none", "--backend", "kvm"],
    ]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /none of these runs here: dvm-kvm: KVM is not usable: ./);
  });

  it("refuses a scenario and an arm that it does not know, before anything runs", async () => {
    using folder = new Folder();
    const scenario = await folder.dvm(["bench", "nothing"]);
    assert.match(scenario.stderr, /^dvm: no scenario: nothing\n {2}hint: dvm bench ls names them/);
    assert.equal(scenario.code, 1);
    const arm = await folder.dvm(["bench", "start", "--baseline", "lxc"]);
    assert.match(arm.stderr, /no baseline or backend: lxc/);
    const file = await folder.dvm(["bench", "compare", DVM, DVM]);
    assert.match(file.stderr, /is no result/);
  });
});

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "dvm-bench-test-"));

  async dvm(words: readonly string[]): Promise<Ended> {
    const env = { ...process.env, TMPDIR: this.path };
    try {
      return { ...(await promisify(execFile)(DVM, words, { env })), code: 0 };
    } catch (error) {
      return error as Ended;
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
