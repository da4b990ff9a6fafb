import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { VmmError } from "../errors.ts";
import { MAX_QMP_LINE, QmpClient } from "./qmp-client.ts";
import { parseQmpMessage, type QmpEvent } from "./qmp-message.ts";

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}}';

test("negotiates and gives the version", async () => {
  const { client, server } = session();
  server.write(`${GREETING}\r\n`);
  const version = client.negotiate();
  assert.deepEqual(await command(server), { execute: "qmp_capabilities", arguments: {}, id: 1 });
  server.write('{"return": {}, "id": 1}\r\n');
  assert.equal(await version, "7.2.22");
});

test("answers find their commands in any order and however they are cut", async () => {
  const { client, server } = session();
  const answers = Promise.all([client.execute("a"), client.execute("b", { x: 1 })]);
  for (const byte of Buffer.from('{"return": "two", "id": 2}\n{"return": "one", "id": 1}\n')) {
    server.write(Buffer.of(byte));
  }
  assert.deepEqual(await answers, ["one", "two"]);
});

test("a refused command fails with QEMU's words, and the session goes on", async () => {
  const { client, server } = session();
  const refused = client.execute("stop");
  server.write('{"error": {"class": "GenericError", "desc": "no way"}, "id": 1}\n');
  await assert.rejects(refused, /QMP command stop failed: no way/);
  const taken = client.execute("cont");
  server.write('{"return": {}, "id": 2}\n');
  assert.deepEqual(await taken, {});
});

test("events reach the listener in their order", async () => {
  const { client, server, events } = session();
  const done = client.execute("x");
  server.write(
    '{"event": "STOP", "timestamp": {"seconds": 1}}\n{"event": "SHUTDOWN", "data": {"guest": true}}\n',
  );
  server.write('{"return": 0, "id": 1}\n');
  await done;
  assert.deepEqual(events, [
    { kind: "event", name: "STOP", data: {} },
    { kind: "event", name: "SHUTDOWN", data: { guest: true } },
  ]);
});

test("what breaks the protocol ends the session with one error that says what it was", async () => {
  const cases: [string, RegExp][] = [
    ["no json\n", /no JSON/],
    ["[1]\n", /no JSON object/],
    ["{}\n", /no greeting, event, error or return/],
    ['{"QMP": {}}\n', /without a version/],
    ['{"event": 7}\n', /malformed event/],
    ['{"error": "x", "id": 1}\n', /malformed error/],
    ['{"return": {}}\n', /without the id/],
    ['{"return": {}, "id": 9}\n', /answer to no command/],
    ["x".repeat(MAX_QMP_LINE + 1), /line of more than/],
  ];
  for (const [text, message] of cases) {
    const { client, server } = session();
    const waiting = client.execute("query-status");
    server.write(text);
    await assert.rejects(waiting, message);
    await assert.rejects(client.execute("later"), message);
    await assert.rejects(client.negotiate(), message);
  }
});

test("the end of the connection fails all that waits", async () => {
  const { client, server } = session();
  const waiting = [client.negotiate(), client.execute("query-status")];
  server.end('{"return"');
  for (const promise of waiting) await assert.rejects(promise, VmmError);
});

test("a descriptor goes after what waits for room, however little that is", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-qmp-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const listener = createServer({ pauseOnConnect: true }).listen(join(folder, "socket"));
  t.after(() => listener.close());
  await once(listener, "listening");
  const socket = connect(join(folder, "socket"));
  const [accepted] = (await once(listener, "connection")) as [Socket];
  t.after(() => socket.destroy());
  t.after(() => accepted.destroy());
  const nothing = openSync("/dev/null", "r");
  t.after(() => closeSync(nothing));
  const client = new QmpClient(socket, () => {});
  fill(socket);
  const answers = [
    client.execute("first"),
    client.executeWith(nothing, "add-fd"),
    client.execute("third"),
    client.executeWith(nothing, "getfd"),
  ];
  assert.notEqual(socket.writableLength, 0);
  const order: (string | undefined)[] = [];
  let text = "";
  accepted.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    if (!text.endsWith("}\n")) return;
    for (const [, command, id] of text.matchAll(/"execute":"([^"]*)".*?"id":(\d)/g)) {
      order.push(command);
      accepted.write(`{"return": ${id}, "id": ${id}}\n`);
    }
    text = "";
  });
  accepted.resume();
  assert.deepEqual(await Promise.all(answers), [1, 2, 3, 4]);
  assert.deepEqual(order, ["first", "add-fd", "third", "getfd"]);
});

test("any line is read or refused by a TypeError", () => {
  const keys = fc.constantFrom(
    "QMP",
    "event",
    "error",
    "return",
    "id",
    "data",
    "desc",
    "version",
    "qemu",
  );
  const value = fc.letrec((tie) => ({
    node: fc.oneof(fc.jsonValue(), fc.dictionary(keys, tie("node"), { maxKeys: 4 })),
  })).node;
  const line = fc.oneof(
    fc.string(),
    value.map((any) => JSON.stringify(any)),
  );
  fc.assert(
    fc.property(line, (text) => {
      try {
        assert.ok(["greeting", "event", "error", "return"].includes(parseQmpMessage(text).kind));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    }),
  );
});

function session(): { client: QmpClient; server: Duplex; events: QmpEvent[] } {
  const [ours, server] = duplexPair();
  const events: QmpEvent[] = [];
  server.on("error", () => {});
  return { client: new QmpClient(ours, (event) => events.push(event)), server, events };
}

/** Writes to the socket until it has no room. */
function fill(socket: Socket): void {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  try {
    for (;;) writeSync(fd, Buffer.alloc(65536, "\n"));
  } catch (error) {
    assert.match(String(error), /EAGAIN/);
  }
}

async function command(server: Duplex): Promise<unknown> {
  const [chunk] = await Promise.all([new Promise((resolve) => server.once("data", resolve))]);
  return JSON.parse(String(chunk));
}
