import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { DvmError } from "../errors.ts";
import type { ContainerConfig } from "./container-config.ts";
import { engineError } from "./errors.ts";
import { identifyProcess, isAlive } from "./process-identity.ts";
import { PLAIN_CONFIG, type TestEngine, testEngine } from "./test-engine.ts";

const REMOVED = { ...PLAIN_CONFIG, autoRemove: true };

/** Runs a container with its streams attached. */
async function run(
  { engine }: TestEngine,
  config: Partial<ContainerConfig>,
  input?: string,
): Promise<{ code: number; error?: string; out: string; err: string; id: string }> {
  const { id } = await engine.create({ ...PLAIN_CONFIG, ...config });
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  engine.attach(id, {
    stdout,
    stderr,
    ...(input === undefined ? {} : { stdin: stdin.end(input) }),
  });
  const ended = engine.wait(id);
  await engine.start(id);
  const { exitCode, error } = await ended;
  stdout.end();
  stderr.end();
  const output = { out: await text(stdout), err: await text(stderr) };
  return { code: exitCode, ...(error === undefined ? {} : { error }), ...output, id };
}

const refusal =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof DvmError && error.code === code && message.test(error.message);

describe("engine", () => {
  it("runs a container: its output apart, its exit code, nothing left with autoRemove", async () => {
    using test = testEngine({ out: "hello\n", err: "oops\n", code: 7 });
    const { code, out, err } = await run(test, { autoRemove: true });
    assert.deepEqual({ code, out, err }, { code: 7, out: "hello\n", err: "oops\n" });
    assert.deepEqual(test.leftovers(), []);
    assert.equal(test.hypervisor.machines[0]?.ended, true);
  });

  it("keeps a container that is not to be removed, shut down in good order", async () => {
    using test = testEngine({ code: 3 });
    const { id } = await run(test, { name: "keep" });
    const [record] = test.engine.list();
    assert.equal(record?.name, "keep");
    assert.equal(record?.state.status, "exited");
    assert.equal(record?.state.exitCode, 3);
    const asked = test.hypervisor.machines[0]?.requests.map(({ type }) => type);
    assert.deepEqual(asked, [
      "machine.configure",
      "container.create",
      "container.start",
      "machine.shutdown",
    ]);
    await test.engine.remove("keep", { force: false });
    assert.deepEqual(test.leftovers(), []);
    assert.throws(() => test.engine.inspect(id), refusal("NO_SUCH_CONTAINER"));
  });

  it("hands input on, and its end", async () => {
    using test = testEngine({ cat: true });
    const { out, code } = await run(test, { ...REMOVED, openStdin: true }, "some input");
    assert.deepEqual([out, code], ["some input", 0]);
  });

  it("gives the process no input stream unless it is open", async () => {
    using test = testEngine();
    await run(test, REMOVED);
    const start = test.hypervisor.machines[0]?.requests.find(
      (request) => request.type === "container.start",
    );
    assert.equal(start?.process.stdio.stdin, undefined);
  });

  it("hands a signal on to the process", async () => {
    using test = testEngine({ untilSignalled: true });
    const { id } = await test.engine.create(REMOVED);
    const ended = test.engine.wait(id);
    await test.engine.start(id);
    await test.engine.kill(id, 15);
    assert.equal((await ended).exitCode, 143);
    assert.deepEqual(test.leftovers(), []);
  });

  it("says 137 for a container that it killed", async () => {
    using test = testEngine({ untilSignalled: true });
    const { id } = await test.engine.create(REMOVED);
    const ended = test.engine.wait(id);
    await test.engine.start(id);
    await test.engine.destroy(id);
    assert.equal((await ended).exitCode, 137);
    assert.deepEqual(test.leftovers(), []);
  });

  it("says 125 and shows the console when the guest dies under the process", async () => {
    using test = testEngine({ untilSignalled: true });
    const { id } = await test.engine.create(REMOVED);
    const ended = test.engine.wait(id);
    await test.engine.start(id);
    const [machine] = test.hypervisor.machines;
    machine?.end({ reason: "panic", message: "Oops" });
    machine?.agent.destroy();
    const exit = await ended;
    assert.equal(exit.exitCode, 125);
    assert.match(
      exit.error ?? "",
      /panicked: Oops; the guest's console ends with\n {2}\| last words/,
    );
    assert.deepEqual(test.leftovers(), []);
  });

  it("lets a lost reader end the process's output, not the engine", async () => {
    using test = testEngine({ out: "y\n" });
    const { id } = await test.engine.create(REMOVED);
    const stdout = new PassThrough();
    test.engine.attach(id, { stdout });
    const ended = test.engine.wait(id);
    stdout.destroy(new Error("EPIPE"));
    stdout.on("error", () => {});
    await test.engine.start(id);
    assert.equal((await ended).exitCode, 0);
  });
});

describe("a start that fails leaves nothing behind", () => {
  const cases: [string, TestEngine, RegExp][] = [
    [
      "at the image",
      testEngine(
        {},
        { prepareImage: async () => Promise.reject(engineError("NOT_SUPPORTED", "bad image")) },
      ),
      /bad image/,
    ],
    [
      "at the writable disk",
      testEngine(
        {},
        { makeWritableDisk: async () => Promise.reject(engineError("NOT_SUPPORTED", "no mkfs")) },
      ),
      /no mkfs/,
    ],
    [
      "at the hypervisor",
      testEngine(
        {},
        { openHypervisor: async () => Promise.reject(engineError("NOT_SUPPORTED", "no QEMU")) },
      ),
      /no QEMU/,
    ],
    [
      "at the machine",
      testEngine({ failStart: engineError("NOT_SUPPORTED", "no kernel") }),
      /no kernel/,
    ],
    ["at the hello", testEngine({ silent: true }), /hello took longer than 0.2 s/],
    ["at the configuration", testEngine({ vanishOn: "machine.configure" }), /panicked/],
    ["at the container", testEngine({ vanishOn: "container.create" }), /panicked/],
    [
      "at the process",
      testEngine({ refuse: { type: "container.start", code: "COMMAND_NOT_FOUND", exitCode: 127 } }),
      /COMMAND_NOT_FOUND/,
    ],
  ];
  for (const [where, test, message] of cases) {
    it(where, async () => {
      using held = test;
      await assert.rejects(run(held, REMOVED), (error: Error) => message.test(error.message));
      assert.deepEqual(held.leftovers(), []);
      for (const machine of held.hypervisor.machines) assert.equal(machine.ended, true);
    });
  }

  it("when it is interrupted", async () => {
    using test = testEngine({ silent: true });
    const abort = new AbortController();
    const { id } = await test.engine.create(REMOVED);
    const starting = test.engine.start(id, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 20);
    await assert.rejects(starting, /enough/);
    assert.deepEqual(test.leftovers(), []);
  });

  it("and keeps the failed container without autoRemove, as Docker does", async () => {
    using test = testEngine({
      refuse: { type: "container.start", code: "COMMAND_NOT_FOUND", exitCode: 127 },
    });
    await assert.rejects(run(test, {}), refusal("COMMAND_NOT_FOUND"));
    const [record] = test.engine.list();
    assert.equal(record?.state.status, "created");
    assert.equal(record?.state.exitCode, 127);
  });
});

describe("a start", () => {
  it("asks the guest for everything before its hello, so that it need not wait for us", async () => {
    using test = testEngine({ silent: true });
    await assert.rejects(run(test, REMOVED), /hello took longer/);
    const [machine] = test.hypervisor.machines;
    assert.deepEqual(
      machine?.requests.map(({ type }) => type),
      ["machine.configure", "container.create", "container.start"],
    );
  });
});

describe("names", () => {
  it("are unique, and free again after the removal", async () => {
    using test = testEngine();
    await test.engine.create({ ...PLAIN_CONFIG, name: "web" });
    await assert.rejects(
      test.engine.create({ ...PLAIN_CONFIG, name: "web" }),
      refusal("NAME_TAKEN", /"\/web" is already in use by container/),
    );
    await test.engine.remove("web", { force: false });
    await test.engine.create({ ...PLAIN_CONFIG, name: "web" });
  });

  it("of a container whose folder is gone are free", async () => {
    using test = testEngine();
    mkdirSync(join(test.folders.dataRoot, "names"), { recursive: true });
    writeFileSync(join(test.folders.dataRoot, "names", "web"), "f".repeat(64));
    const { name } = await test.engine.create({ ...PLAIN_CONFIG, name: "web" });
    assert.equal(name, "web");
  });

  it("stand for a container beside its id and the start of it", async () => {
    using test = testEngine();
    const { id, name } = await test.engine.create(PLAIN_CONFIG);
    for (const reference of [id, name, id.slice(0, 6)]) {
      assert.equal(test.engine.inspect(reference).id, id);
    }
    assert.throws(() => test.engine.inspect("nobody"), refusal("NO_SUCH_CONTAINER"));
    assert.throws(() => test.engine.inspect("../../etc"), refusal("NO_SUCH_CONTAINER"));
  });
});

describe("an engine that was killed", () => {
  it("is cleaned up after by the next: its machine, its folder, its container", async () => {
    using test = testEngine();
    const { id } = await test.engine.create(REMOVED);
    const stray = spawn("sleep", ["1000"], { stdio: "ignore" });
    const exited = once(stray, "exit");
    const vmm = identifyProcess(stray.pid ?? 0);
    assert.ok(vmm !== undefined && isAlive(vmm));
    const folder = join(test.folders.runRoot, id.slice(0, 12));
    const gone = { pid: 2 ** 22 - 1, startTime: "1" };
    const owner = { version: 1, container: id, engine: gone, vmm };
    writeFileSync(join(folder, "owner.json"), JSON.stringify(owner));
    test.another();
    await exited;
    assert.deepEqual(test.leftovers(), []);
  });

  it("leaves a container that was to stay as exited", async () => {
    using test = testEngine({ untilSignalled: true });
    const { id } = await test.engine.create({ ...PLAIN_CONFIG, name: "kept" });
    await test.engine.start(id);
    const folder = join(test.folders.runRoot, id.slice(0, 12));
    const owner = { version: 1, container: id, engine: { pid: 2 ** 22 - 1, startTime: "1" } };
    writeFileSync(join(folder, "owner.json"), JSON.stringify(owner));
    const record = test.another().inspect("kept");
    assert.equal(record.state.status, "exited");
    assert.equal(record.state.exitCode, 137);
    await test.engine[Symbol.asyncDispose]();
  });
});

describe("disposal of the engine", () => {
  it("ends the containers that run", async () => {
    using test = testEngine({ untilSignalled: true });
    const { id } = await test.engine.create(REMOVED);
    await test.engine.start(id);
    await test.engine[Symbol.asyncDispose]();
    assert.deepEqual(test.leftovers(), []);
    assert.equal(test.hypervisor.machines[0]?.ended, true);
  });
});
