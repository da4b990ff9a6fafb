import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { engineError } from "../../engine/errors.ts";
import { DaemonClient } from "../client/daemon-client.ts";
import { HttpConnection } from "../client/http-connection.ts";
import { type TestServer, testServer } from "./test-server.ts";
import { tellCaller } from "./told-work.ts";

const clientOf = (server: TestServer) => new DaemonClient(new HttpConnection(server.path));

test("tells the steps to the client on whose behalf they are, and then the result", async () => {
  await using server = await testServer();
  const { engine } = server;
  const create = engine.create.bind(engine);
  engine.create = async (config, caller) => {
    await new Promise(setImmediate);
    tellCaller({ type: "log", container: "", text: config.name ?? "" });
    return create(config, caller);
  };
  using client = clientOf(server);
  const heard: Record<string, unknown[]> = { one: [], two: [] };
  const made = await Promise.all(
    Object.entries(heard).map(([name, events]) =>
      client.create(
        { ...server.plainConfig, name },
        { onEvent: (event) => events.push("text" in event ? event.text : event.type) },
      ),
    ),
  );
  assert.deepEqual(heard, { one: ["one"], two: ["two"] });
  assert.deepEqual(made.map(({ Id }) => Id).toSorted(), [...engine.kept.keys()].toSorted());
});

test("tells a failure with its code", async () => {
  await using server = await testServer();
  using client = clientOf(server);
  const created = client.create({ ...server.plainConfig, image: "nothing" }, { onEvent: () => {} });
  await assert.rejects(created, { code: "IMAGE_NOT_FOUND", exitCode: 125 });
});

test("lets a client call its work off, and hear when it is undone", async () => {
  await using server = await testServer();
  const begun = Promise.withResolvers<void>();
  let isUndone = false;
  const blocking = async (
    _config: unknown,
    _caller: unknown,
    { signal }: { signal: AbortSignal },
  ) => {
    begun.resolve();
    await once(signal, "abort");
    await new Promise(setImmediate);
    isUndone = true;
    throw engineError("WRONG_STATE", "given up");
  };
  Object.assign(server.engine, { create: blocking });
  using client = clientOf(server);
  const abort = new AbortController();
  const options = { signal: abort.signal, onEvent: () => {} };
  const created = client.create(server.plainConfig, options);
  await begun.promise;
  abort.abort(new Error("turned away"));
  await assert.rejects(created, /turned away/);
  assert.equal(isUndone, true);
});

test("keeps no more of a guest's words for a client that does not read them than a bound", async () => {
  await using server = await testServer();
  const { engine } = server;
  const create = engine.create.bind(engine);
  const text = "x".repeat(64 * 1024);
  engine.create = (config, caller) => {
    // the client is of this process: it reads nothing meanwhile
    for (let count = 0; count < 400; count++) tellCaller({ type: "log", container: "", text });
    return create(config, caller);
  };
  using client = clientOf(server);
  let heard = 0;
  await client.create(server.plainConfig, { onEvent: () => heard++ });
  assert.ok(heard > 0 && heard < 200, `${heard}`);
});
