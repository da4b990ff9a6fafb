import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { OLDEST_AGENT_VERSION, PROTOCOL_VERSION } from "#protocol";
import { DvmError } from "../../errors.ts";
import { engineError } from "../errors.ts";
import { identifyProcess, isAlive } from "../process-identity.ts";
import { PLAIN_CONFIG, type TestEngine, testEngine } from "../test-engine.ts";
import { OWN_USER, runAttached } from "../test-run.ts";
import { Daemon } from "./daemon.ts";
import type { DaemonContainerConfig } from "./model.ts";

const REMOVED = { ...PLAIN_CONFIG, autoRemove: true };
const { signal } = new AbortController();

const create = (daemon: Daemon, config: DaemonContainerConfig) =>
  daemon.create(config, OWN_USER, signal);

/** Runs a container with its streams attached, in a daemon of its own. */
async function run(test: TestEngine, config: Partial<DaemonContainerConfig>, input?: string) {
  await using daemon = await Daemon.open(test.options);
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const streams = { stdout, stderr, ...(input === undefined ? {} : { stdin: stdin.end(input) }) };
  const { ended } = await runAttached(daemon, { ...PLAIN_CONFIG, ...config }, streams);
  const { exitCode, error } = await ended;
  stdout.end();
  stderr.end();
  const output = { out: await text(stdout), err: await text(stderr) };
  return { code: exitCode, ...(error === undefined ? {} : { error }), ...output };
}

const refusal =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof DvmError && error.code === code && message.test(error.message);

const asked = ({ hypervisor }: TestEngine) =>
  hypervisor.machines[0]?.requests.map(({ type }) => type);

describe("a daemon's container", () => {
  it("has its outputs apart, its exit code, and leaves nothing with autoRemove", async () => {
    using test = testEngine({ out: "hello\n", err: "oops\n", code: 7 });
    const result = await run(test, { autoRemove: true });
    assert.deepEqual(result, { code: 7, out: "hello\n", err: "oops\n" });
    assert.deepEqual(test.leftovers(), []);
    assert.equal(test.hypervisor.machines[0]?.ended, true);
  });

  it("is kept when it is not to be removed, shut down in good order", async () => {
    using test = testEngine({ code: 3 });
    await run(test, { name: "keep" });
    assert.deepEqual(asked(test), [
      "machine.configure",
      "container.create",
      "container.start",
      "machine.shutdown",
    ]);
    await using next = await Daemon.open(test.options);
    const { state, name } = next.find("keep", OWN_USER).view();
    assert.deepEqual([name, state.status, state.exitCode], ["keep", "exited", 3]);
    await next.find("keep", OWN_USER).remove({ force: false });
    assert.deepEqual(test.leftovers(), []);
    assert.throws(() => next.find("keep", OWN_USER), refusal("NO_SUCH_CONTAINER"));
  });

  it("gets its input, and its end", async () => {
    using test = testEngine({ cat: true });
    const config = { ...REMOVED, openStdin: true, stdinOnce: true };
    const { out, code } = await run(test, config, "some input");
    assert.deepEqual([out, code], ["some input", 0]);
  });

  it("has no input stream unless it is open", async () => {
    using test = testEngine();
    await run(test, REMOVED);
    const start = test.hypervisor.machines[0]?.requests.find(
      (request) => request.type === "container.start",
    );
    assert.equal(start?.process.stdio.stdin, undefined);
  });

  it("gets signals, and ends with 137 by the one that kills", async () => {
    for (const [number, code] of [
      [15, 143],
      [9, 137],
    ] as const) {
      using test = testEngine({ untilSignalled: true });
      await using daemon = await Daemon.open(test.options);
      const { id, ended } = await runAttached(daemon, REMOVED);
      await daemon.get(id).kill(number);
      assert.equal((await ended).exitCode, code);
      assert.deepEqual(test.leftovers(), []);
    }
  });

  it("ends with 125 and the console's last words when the guest dies under it", async () => {
    using test = testEngine({ untilSignalled: true });
    await using daemon = await Daemon.open(test.options);
    const { ended } = await runAttached(daemon, REMOVED);
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

  it("does not suffer from a reader that is lost", async () => {
    using test = testEngine({ out: "y\n" });
    await using daemon = await Daemon.open(test.options);
    const stdout = new PassThrough();
    stdout.on("error", () => {});
    stdout.destroy(new Error("EPIPE"));
    const { ended } = await runAttached(daemon, REMOVED, { stdout });
    assert.equal((await ended).exitCode, 0);
  });

  it("is asked of the guest before its hello, so that the guest need not wait for us", async () => {
    using test = testEngine({ silent: true });
    await assert.rejects(run(test, REMOVED), /hello took longer/);
    assert.deepEqual(asked(test), ["machine.configure", "container.create", "container.start"]);
  });
});

describe("a start that fails leaves nothing behind", () => {
  const failing = (text: string) => async () => Promise.reject(engineError("NOT_SUPPORTED", text));
  const cases: [string, () => TestEngine, RegExp][] = [
    ["at the image", () => testEngine({}, { prepareImage: failing("bad image") }), /bad image/],
    [
      "at the writable disk",
      () => testEngine({}, { makeWritableDisk: failing("no mkfs") }),
      /no mkfs/,
    ],
    ["at the hypervisor", () => testEngine({}, { openHypervisor: failing("no QEMU") }), /no QEMU/],
    [
      "at the machine",
      () => testEngine({ failStart: engineError("NOT_SUPPORTED", "no kernel") }),
      /no kernel/,
    ],
    ["at the hello", () => testEngine({ silent: true }), /hello took longer than 0.2 s/],
    ["at the configuration", () => testEngine({ vanishOn: "machine.configure" }), /panicked/],
    ["at the container", () => testEngine({ vanishOn: "container.create" }), /panicked/],
    [
      "at the process",
      () =>
        testEngine({
          refuse: { type: "container.start", code: "COMMAND_NOT_FOUND", exitCode: 127 },
        }),
      /COMMAND_NOT_FOUND/,
    ],
  ];
  for (const [where, make, message] of cases) {
    it(where, async () => {
      using test = make();
      await assert.rejects(run(test, REMOVED), (error: Error) => message.test(error.message));
      assert.deepEqual(test.leftovers(), []);
      for (const machine of test.hypervisor.machines) assert.equal(machine.ended, true);
    });
  }

  it("when the container is removed meanwhile", async () => {
    using test = testEngine({ silent: true });
    await using daemon = await Daemon.open(test.options);
    const container = await create(daemon, PLAIN_CONFIG);
    const starting = assert.rejects(container.start(), refusal("WRONG_STATE", /was removed/));
    while (test.hypervisor.machines.length === 0) await setImmediate();
    await container.remove({ force: true });
    await starting;
    assert.deepEqual(test.leftovers(), []);
  });

  it("and keeps the failed container without autoRemove, as Docker does", async () => {
    using test = testEngine({
      refuse: { type: "container.start", code: "COMMAND_NOT_FOUND", exitCode: 127 },
    });
    await using daemon = await Daemon.open(test.options);
    await assert.rejects(runAttached(daemon, PLAIN_CONFIG), refusal("COMMAND_NOT_FOUND"));
    const [container] = daemon.list(OWN_USER);
    const { status, exitCode } = container?.record.state ?? {};
    assert.deepEqual([status, exitCode], ["created", 127]);
  });
});

describe("a daemon's names", () => {
  it("are unique, and free again after the removal", async () => {
    using test = testEngine();
    await using daemon = await Daemon.open(test.options);
    const config = { ...PLAIN_CONFIG, name: "web" };
    const first = await create(daemon, config);
    await assert.rejects(
      create(daemon, config),
      refusal("NAME_TAKEN", /"\/web" is already in use by container/),
    );
    await first.remove({ force: false });
    await create(daemon, config);
  });

  it("of a container whose folder is gone are free", async () => {
    using test = testEngine();
    mkdirSync(join(test.folders.dataRoot, "names"), { recursive: true });
    writeFileSync(join(test.folders.dataRoot, "names", "web"), "f".repeat(64));
    await using daemon = await Daemon.open(test.options);
    const { record } = await create(daemon, { ...PLAIN_CONFIG, name: "web" });
    assert.equal(record.name, "web");
  });

  it("stand for a container beside its id and the start of it", async () => {
    using test = testEngine();
    await using daemon = await Daemon.open(test.options);
    const { id, record } = await create(daemon, PLAIN_CONFIG);
    for (const reference of [id, record.name, `/${record.name}`, id.slice(0, 6)]) {
      assert.equal(daemon.find(reference, OWN_USER).id, id);
    }
    for (const reference of ["nobody", "../../etc", ""]) {
      assert.throws(() => daemon.find(reference, OWN_USER), refusal("NO_SUCH_CONTAINER"));
    }
  });
});

describe("a daemon that was killed", () => {
  /** What it leaves of a container: a machine of its own, noted in the run directory. */
  function leave({ folders }: TestEngine, container: string) {
    const stray = spawn("sleep", ["1000"], { stdio: "ignore" });
    const vmm = identifyProcess(stray.pid ?? 0);
    assert.ok(vmm !== undefined && isAlive(vmm));
    const folder = join(folders.runRoot, container.slice(0, 12));
    const engine = { pid: 2 ** 22 - 1, startTime: "1" };
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "owner.json"),
      JSON.stringify({ version: 1, container, engine, vmm }),
    );
    return once(stray, "exit");
  }

  it("is cleaned up after by the next: machines of containers that are no more", async () => {
    using test = testEngine();
    const ended = leave(test, "e".repeat(64));
    await using _ = await Daemon.open(test.options);
    await ended;
    assert.deepEqual(test.leftovers(), []);
  });

  it("leaves a container that it was starting as it was", async () => {
    using test = testEngine();
    let id = "";
    {
      await using daemon = await Daemon.open(test.options);
      ({ id } = await create(daemon, { ...PLAIN_CONFIG, name: "kept" }));
    }
    const ended = leave(test, id);
    await using next = await Daemon.open(test.options);
    await ended;
    assert.equal(next.find("kept", OWN_USER).record.state.status, "created");
    await next.find("kept", OWN_USER).remove({ force: false });
    assert.deepEqual(test.leftovers(), []);
  });

  it("leaves a container whose machine is gone as exited", async () => {
    using test = testEngine({ untilSignalled: true });
    {
      await using daemon = await Daemon.open(test.options);
      await runAttached(daemon, { ...PLAIN_CONFIG, name: "kept" });
    }
    await test.hypervisor.machines[0]?.kill();
    await using next = await Daemon.open(test.options);
    const { status, exitCode } = next.find("kept", OWN_USER).record.state;
    assert.deepEqual([status, exitCode], ["exited", 137]);
  });
});

describe("a daemon that ends", () => {
  /** The next daemon, with the container that the first one ran. */
  async function next(test: TestEngine) {
    {
      await using daemon = await Daemon.open(test.options);
      await runAttached(daemon, { ...PLAIN_CONFIG, name: "web" });
    }
    assert.equal(test.hypervisor.machines[0]?.ended, false);
    const daemon = await Daemon.open(test.options);
    const container = daemon.find("web", OWN_USER);
    const exit = container.wait({ condition: "not-running", signal, onWaiting: () => {} });
    return { container, exit, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
  }

  for (const version of [PROTOCOL_VERSION, OLDEST_AGENT_VERSION]) {
    it(`leaves its containers to the next, with an agent of version ${version}`, async () => {
      using test = testEngine({ untilSignalled: true, laterVersion: version });
      await using second = await next(test);
      assert.equal(second.container.record.state.status, "running");
      await second.container.stop({ timeout: 5 });
      assert.equal((await second.exit).exitCode, 143);
    });
  }

  it("leaves those to the next too that this cannot speak to: they run on, to be killed", async () => {
    for (const end of ["stop", "kill", "remove"] as const) {
      using test = testEngine({ untilSignalled: true, laterVersion: PROTOCOL_VERSION + 1 });
      await using second = await next(test);
      const { container } = second;
      assert.equal(container.record.state.status, "running");
      await assert.rejects(container.kill(1), refusal("AGENT_VERSION"));
      assert.equal(test.hypervisor.machines[0]?.ended, false);
      if (end === "stop") await container.stop({});
      else if (end === "kill") await container.kill(9);
      else await container.remove({ force: true });
      assert.equal((await second.exit).exitCode, 137);
    }
  });
});
