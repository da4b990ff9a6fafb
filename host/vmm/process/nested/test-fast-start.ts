/**
 * Machines of the `kvm` backend that do not boot: forks, snapshots, and spares of a pool; a program of tests for the
 * nested host, as test-containers.ts is.
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { parseFlags } from "../../../cli/parse/flag-set.ts";
import { runConfig } from "../../../cli/run-config.ts";
import { allRunFlags } from "../../../cli/run-flags.ts";
import { artifactPaths } from "../../../engine/artifacts.ts";
import { machineConfig } from "../../../engine/boot-machine.ts";
import { Daemon } from "../../../engine/daemon/daemon.ts";
import type { ManagedContainer } from "../../../engine/daemon/managed-container.ts";
import { machineShape } from "../../../engine/machine-shape.ts";
import { enginePaths } from "../../../engine/paths.ts";
import { realParts } from "../../../engine/real-parts.ts";
import { OWN_USER } from "../../../engine/test-run.ts";
import type { MachineConfig } from "../../hypervisor.ts";
import { commandOf, vmmProcesses } from "./vmm-processes.ts";

/** Counts for ever, with a number of its own each time. */
const COUNT = "n=0; while :; do echo $((n++)) $(cat /proc/sys/kernel/random/uuid); sleep 1; done";
const WORDS = ["--vmm", "kvm", "--cpus", "1", "-m", "64m"];

const folder = mkdtempSync(join(tmpdir(), "dvm-fast-"));
const paths = enginePaths(process.env, join(folder, "data"));
const { makeTemplate: _, ...parts } = realParts;
const daemon = await Daemon.open({ paths, parts, poolSize: 1 });
after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function configOf(words: readonly string[]) {
  const { values, args } = parseFlags(allRunFlags, [...words], { interspersed: false });
  const [image = "", ...command] = args;
  return runConfig({ values, image, command, environment: {} });
}

/** `dvm run -d`, with the words of its flags and its script. */
async function start(words: readonly string[], script: string): Promise<Running> {
  const config = configOf([...WORDS, ...words, "busybox", "sh", "-c", script]);
  const container = await daemon.create(config, OWN_USER, new AbortController().signal);
  await container.start();
  return new Running(container);
}

/** A container, and the lines that it has written. */
class Running {
  readonly container: ManagedContainer;
  #text = "";

  constructor(container: ManagedContainer) {
    this.container = container;
    const stdout = new PassThrough();
    stdout.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
    container.streams.attach({ stdout }, { logs: true, stream: true });
  }

  get lines(): string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  get last(): number {
    return Number.parseInt(this.lines.at(-1) ?? "-1", 10);
  }

  /** It counts on, without a gap. */
  async countsOn(from: number): Promise<void> {
    for (let tries = 0; tries < 600 && this.last < from + 2; tries++) await setTimeout(100);
    const counted = this.lines.map((line) => Number.parseInt(line, 10));
    const [first = Number.NaN] = counted;
    assert.deepEqual(
      counted,
      counted.map((__, index) => first + index),
    );
    assert.ok(this.last >= from + 2, `it stands at ${this.last}`);
  }

  async remove(): Promise<void> {
    await this.container.remove({ force: true });
  }
}

/** The second's lines have nothing that the first's have. */
function assertApart(first: Running, second: Running): void {
  const seen = new Set(first.lines);
  const own = second.lines.slice(1); // what was on its way when it was saved is both's
  assert.deepEqual(
    own.filter((line) => seen.has(line)),
    [],
  );
}

describe("a container on the kvm backend that runs", () => {
  it("is forked into one that goes on by itself, with an address of its own, and both end", async () => {
    const first = await start(["--network", "bridge"], COUNT);
    await first.countsOn(0);
    const before = first.last;
    const fork = await daemon.snapshots.fork(first.container, OWN_USER, { name: "second" });
    const second = new Running(fork);
    await second.countsOn(before);
    await first.countsOn(before);
    assertApart(first, second);
    const addresses = [first.container, fork].map(
      ({ run }) => run.networks.attachments[0]?.address,
    );
    assert.notEqual(addresses[0], addresses[1]);
    await first.remove();
    await second.remove();
    assert.deepEqual(vmmProcesses(), []);
  });

  it("is saved, and others go on from there when it is gone", async () => {
    const first = await start(["--network", "none"], COUNT);
    await first.countsOn(0);
    const before = first.last;
    await daemon.snapshots.create(first.container, OWN_USER, { name: "kept" });
    await first.countsOn(before);
    await first.remove();
    for (const name of ["one", "two"]) {
      const wish = { name };
      const copy = new Running(await daemon.snapshots.restore("kept", OWN_USER, wish));
      await copy.countsOn(before);
      assertApart(first, copy);
      await copy.remove();
    }
    await daemon.snapshots.remove("kept", OWN_USER);
    assert.deepEqual(readdirSync(join(paths.dataRoot, "snapshots")), []);
  });
});

describe("a clone on the kvm backend", () => {
  it("shares a folder of the host, which its template knew nothing of", async () => {
    const shared = join(folder, "shared");
    mkdirSync(shared);
    writeFileSync(join(shared, "file"), "of the host\n");
    await saveTemplate({ shares: [{ name: "any", path: "/", readOnly: true }] });
    const words = ["--rm", "--network", "none", "-v", `${shared}:/mnt`];
    const clone = await start(words, "cat /mnt/file; echo own >/mnt/own; echo done; sleep 1000");
    for (let tries = 0; tries < 600 && clone.lines.length < 2; tries++) await setTimeout(100);
    assert.deepEqual(clone.lines, ["of the host", "done"]);
    assert.equal(readFileSync(join(shared, "own"), "utf8"), "own\n");
    const maps = readFileSync(`/proc/${clone.container.run.pid}/maps`, "utf8");
    assert.match(maps, /templates/);
    await clone.remove();
  });
});

describe("a pool on the kvm backend", () => {
  it("has a process wait that becomes a clone, whatever card and disk its container has", async () => {
    const backend = { kind: "stream", path: "/" } as const;
    await saveTemplate({ networks: [{ mac: "02:00:00:00:00:01", backend }] });
    for (const words of [
      ["--network", "user"],
      ["--network", "user", "--read-only"],
    ]) {
      const container = await startFromPool(["--rm", ...words], "echo there; sleep 1000");
      for (let tries = 0; tries < 600 && container.lines.length === 0; tries++) {
        await setTimeout(100);
      }
      assert.deepEqual(container.lines, ["there"]);
      await container.remove();
    }
  });
});

/** Of a machine that has this beside its disks. */
async function saveTemplate(parts: Partial<MachineConfig>): Promise<void> {
  const { machine, resources } = configOf([...WORDS, "busybox"]);
  const { hypervisor } = await realParts.openHypervisor(machine, paths.dataRoot);
  const config = machineConfig({
    container: "template",
    artifacts: artifactPaths(),
    shape: machineShape(resources, "kvm"),
    extents: [],
    writableDisk: "/dev/null",
    disposable: true,
    runDirectory: mkdtempSync(join(folder, "template-")),
  });
  assert.equal(await hypervisor.saveTemplate?.({ ...config, ...parts }), true);
}

/** Starts containers until one has the process that waited: the first finds none, and one is seen before it is ready. */
async function startFromPool(words: readonly string[], script: string): Promise<Running> {
  for (let starts = 0; starts < 10; starts++) {
    const waiting = waitingProcesses();
    const container = await start(words, script);
    if (waiting.includes(container.container.run.pid)) return container;
    await container.remove();
    for (let tries = 0; tries < 600 && waitingProcesses().length === 0; tries++) {
      await setTimeout(100);
    }
  }
  return assert.fail("no container was started by a process that waited");
}

function waitingProcesses(): number[] {
  return vmmProcesses().filter((pid) => commandOf(pid).includes("/pool"));
}
