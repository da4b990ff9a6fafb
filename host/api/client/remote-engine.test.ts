import assert from "node:assert/strict";
import { PassThrough, Readable, Writable } from "node:stream";
import { test } from "node:test";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { EngineEvent } from "../../engine/engine-event.ts";
import { DvmError } from "../../errors.ts";
import { type TestServer, testServer } from "../server/test-server.ts";
import { DaemonClient } from "./daemon-client.ts";
import { HttpConnection } from "./http-connection.ts";
import { RemoteEngine } from "./remote-engine.ts";

function remote(server: TestServer, events: EngineEvent[] = []): RemoteEngine {
  return new RemoteEngine(new DaemonClient(new HttpConnection(server.path)), (event) => {
    events.push(event);
  });
}

function collector() {
  const pieces: Buffer[] = [];
  const sink = new Writable({
    write(bytes, _encoding, callback) {
      pieces.push(bytes);
      callback();
    },
  });
  return { sink, text: () => Buffer.concat(pieces).toString() };
}

async function run(engine: RemoteEngine, config: DaemonContainerConfig, stdin?: Readable) {
  const [out, err] = [collector(), collector()];
  const { id } = await engine.create(config);
  engine.attach(id, { stdout: out.sink, stderr: err.sink, ...(stdin ? { stdin } : {}) });
  const ended = engine.wait(id);
  await engine.start(id);
  const { exitCode } = await ended;
  return { exitCode, out: out.text(), err: err.text() };
}

test("runs a container in the daemon as in its own process", async () => {
  await using server = await testServer();
  await using engine = remote(server);
  const config = (...command: string[]) => ({ ...server.plainConfig, command });
  assert.deepEqual(await run(engine, config("echo", "a")), { exitCode: 0, out: "a\n", err: "" });
  assert.deepEqual(await run(engine, config("warn", "b")), { exitCode: 0, out: "", err: "b\n" });
  assert.equal((await run(engine, { ...config("exit", "5"), autoRemove: true })).exitCode, 5);
  const input = Readable.from([Buffer.from("in"), Buffer.from("put")]);
  const cat = { ...config("cat"), openStdin: true };
  assert.deepEqual(await run(engine, cat, input), { exitCode: 0, out: "input", err: "" });
  const terminal = { ...config("warn", "raw"), terminal: true };
  assert.deepEqual(await run(engine, terminal), { exitCode: 0, out: "raw\n", err: "" });
  assert.equal(server.engine.kept.size, 4);
});

test("throws the daemon's errors with their codes and exit codes", async () => {
  await using server = await testServer();
  await using engine = remote(server);
  const error = await engine.remove("nobody", { force: false }).catch((e: unknown) => e);
  assert.ok(error instanceof DvmError);
  assert.deepEqual([error.code, error.exitCode], ["NO_SUCH_CONTAINER", 1]);
  const image = { ...server.plainConfig, image: "nothing" };
  await assert.rejects(engine.create(image), { code: "IMAGE_NOT_FOUND", exitCode: 125 });
});

test("says which socket it cannot reach", async () => {
  using connection = new HttpConnection("/nowhere/dvmd.sock");
  await assert.rejects(new DaemonClient(connection).ping(), {
    code: "DAEMON_UNREACHABLE",
    message: /cannot reach dvmd at \/nowhere\/dvmd\.sock/,
  });
});

test("tells that the process is about to start, for the terminal to go raw", async () => {
  await using server = await testServer();
  const events: EngineEvent[] = [];
  await using engine = remote(server, events);
  const { id } = await engine.create({ ...server.plainConfig, command: ["echo"] });
  await engine.start(id);
  assert.deepEqual(events, [{ type: "phase-begin", container: id, phase: "process-start" }]);
});

test("takes back a container whose start its user has turned away from", async () => {
  await using server = await testServer();
  await using engine = remote(server);
  const config = { ...server.plainConfig, command: ["sleep"], autoRemove: true };
  const { id } = await engine.create(config);
  const abort = new AbortController();
  const starting = engine.start(id, { signal: abort.signal });
  abort.abort(new Error("turned away"));
  await assert.rejects(starting, /turned away/);
  assert.equal(server.engine.kept.size, 1, "never started, so it is the caller's to remove");
});

test("stalls its own stream alone when its reader stops", async () => {
  await using server = await testServer();
  await using engine = remote(server);
  const flood = { ...server.plainConfig, command: ["flood", String(32 * 1024 * 1024)] };
  const { id } = await engine.create(flood);
  const stalled = new PassThrough();
  engine.attach(id, { stdout: stalled });
  const ended = engine.wait(id);
  await engine.start(id);
  const other = await run(engine, { ...server.plainConfig, command: ["echo", "goes on"] });
  assert.equal(other.out, "goes on\n");
  assert.equal(server.engine.kept.get(id)?.process?.isRunning, true);
  stalled.resume();
  assert.equal((await ended).exitCode, 0);
});

test("asks that the input ends with the client, unless it is told otherwise", async () => {
  await using server = await testServer();
  await using engine = remote(server);
  const config = { ...server.plainConfig, openStdin: true };
  const once = (id: string) => server.engine.kept.get(id)?.view.config.stdinOnce;
  assert.equal(once((await engine.create(config)).id), true);
  assert.equal(once((await engine.create({ ...config, stdinOnce: false })).id), false);
  assert.equal(once((await engine.create(server.plainConfig)).id), false);
});
