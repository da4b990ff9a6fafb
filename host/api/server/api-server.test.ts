import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { piece, STDERR, STDOUT } from "../docker/stdcopy.ts";
import { MAX_JSON_BODY } from "./api-call.ts";
import { type TestServer, testServer } from "./test-server.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** An ordinary request. */
async function ask(
  { path: socketPath }: TestServer,
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = { "Content-Type": "application/json" },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request({ socketPath, method, path, headers, agent: false }, async (answer) => {
    let text = "";
    for await (const chunk of answer) text += chunk;
    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
  });
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}

const say = (test: TestServer, method: string, path: string, body?: unknown) =>
  ask(test, method, path, body === undefined ? undefined : JSON.stringify(body));

function message({ text }: Answer): string {
  return JSON.parse(text).message;
}

async function makeContainer(server: TestServer, body: object, name?: string): Promise<string> {
  const query = name === undefined ? "" : `?name=${name}`;
  const answer = await say(server, "POST", `/containers/create${query}`, {
    Image: "busybox",
    ...body,
  });
  assert.equal(answer.status, 201, answer.text);
  return JSON.parse(answer.text).Id;
}

/** Sends bytes as they are. @returns the connection */
async function send(server: TestServer, text: string): Promise<Socket> {
  const socket = await server.connect();
  socket.on("error", () => {});
  socket.write(text);
  return socket;
}

async function readAll(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const bytes of socket) pieces.push(bytes);
  return Buffer.concat(pieces);
}

/** Waits for something that another part of this process does next. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

const upgrade = (path: string, body = "") =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test("speaks the newest version without one, and refuses others with Docker's words", async () => {
  await using server = await testServer();
  const newest = await say(server, "GET", "/version");
  assert.equal(newest.headers["api-version"], "1.47");
  assert.equal(newest.headers.ostype, "linux");
  assert.match(String(newest.headers.server), /^Docker\/0\.1\.0 \(linux\)$/);
  assert.equal((await say(server, "GET", "/v1.41/version")).status, 200);
  const isNew = await say(server, "GET", "/v1.99/version");
  assert.equal(isNew.status, 400);
  assert.match(
    message(isNew),
    /^client version 1\.99 is too new\. Maximum supported API version is/,
  );
  const isOld = await say(server, "GET", "/v1.9/version");
  assert.equal(isOld.status, 400);
  assert.match(
    message(isOld),
    /^client version 1\.9 is too old\. Minimum supported API version is/,
  );
});

test("answers a ping to GET and HEAD", async () => {
  await using server = await testServer();
  const get = await say(server, "GET", "/_ping");
  assert.deepEqual([get.status, get.text], [200, "OK"]);
  const head = await say(server, "HEAD", "/v1.47/_ping");
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "0"]);
  assert.equal(head.headers["docker-experimental"], "false");
});

test("says page not found to paths and methods that are not there", async () => {
  await using server = await testServer();
  const wrong = ["GET /nothing", "PUT /version", "GET /vx/version", "GET //version", "POST /exec"];
  for (const line of wrong) {
    const [method = "", path = ""] = line.split(" ");
    const answer = await say(server, method, path);
    assert.deepEqual([answer.status, message(answer)], [404, "page not found"], line);
  }
  assert.equal((await say(server, "GET", "/networks")).status, 501);
  assert.equal((await say(server, "GET", "/containers/%ff/json")).status, 400);
});

test("refuses bodies that are no JSON, of another type, empty or too large", async () => {
  await using server = await testServer();
  const path = "/containers/create";
  const status = async (body: string, headers?: Record<string, string>) => {
    const answer = await ask(server, "POST", path, body, headers);
    return `${answer.status} ${message(answer)}`;
  };
  assert.match(await status("{"), /^400 invalid JSON/);
  assert.match(await status(""), /^400 invalid JSON: got EOF/);
  assert.match(
    await status("{}", { "Content-Type": "text/plain" }),
    /^400 unsupported Content-Type/,
  );
  assert.match(await status('{"Tty":"yes"}'), /^400 invalid JSON: .*field Tty/);
  const large = `{"Image":"${"x".repeat(MAX_JSON_BODY)}"}`;
  assert.match(await status(large), /^413 /);
  assert.deepEqual(server.failures, []);
});

test("cuts off an endless body of no declared length", async () => {
  await using server = await testServer();
  const head =
    "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const socket = await send(server, head);
  const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
  for (let count = 0; count < 6; count++) socket.write(chunk);
  const [bytes] = await once(socket, "data");
  assert.match(String(bytes), /^HTTP\/1\.1 413 /);
  socket.destroy();
});

test("says 400 to what is no HTTP", async () => {
  await using server = await testServer();
  for (const text of [
    "hello\r\n\r\n",
    "GET / HTTP/9\r\n\r\n",
    "\0\0\0\0",
    "GET / HTTP/1.1\r\nbad\r\n\r\n",
  ]) {
    const socket = await send(server, text);
    assert.match((await readAll(socket)).toString(), /^HTTP\/1\.1 400 /, JSON.stringify(text));
  }
  assert.equal((await say(server, "GET", "/_ping")).status, 200);
});

test("takes a container through its life", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["sleep"] }, "web");
  const post = async (path: string) => (await say(server, "POST", path)).status;
  assert.equal(await post("/containers/web/kill"), 409);
  assert.equal(await post("/containers/web/start"), 204);
  assert.equal(await post("/containers/web/start"), 304);
  assert.equal(await post("/containers/web/pause"), 204);
  assert.equal(await post("/containers/web/pause"), 409);
  assert.equal(await post("/containers/web/unpause"), 204);
  assert.equal(await post(`/containers/${id.slice(0, 12)}/rename?name=db`), 204);
  const running = await say(server, "DELETE", "/containers/db");
  assert.equal(running.status, 409);
  assert.match(message(running), /^cannot remove container "\/db": container is running/);
  assert.equal(await post("/containers/db/kill?signal=FOO"), 400);
  assert.equal(await post("/containers/db/stop?t=x"), 400);
  assert.equal(await post("/containers/db/stop"), 204);
  assert.equal(await post("/containers/db/stop"), 304);
  assert.equal((await say(server, "DELETE", "/containers/db")).status, 204);
  const gone = await say(server, "GET", "/containers/db/json");
  assert.deepEqual([gone.status, message(gone)], [404, "No such container: db"]);
  assert.deepEqual(server.failures, []);
});

test("says which container has a name already", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, {}, "web");
  const again = await say(server, "POST", "/containers/create?name=web", { Image: "busybox" });
  assert.equal(again.status, 409);
  assert.match(message(again), new RegExp(`^Conflict. The container name "/web" is .*"${id}"`));
});

test("sends the headers of wait before the end, and the end after", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["exit", "3"] });
  const waiting = request({
    socketPath: server.path,
    method: "POST",
    path: `/containers/${id}/wait?condition=next-exit`,
  }).end();
  const [answer] = await once(waiting, "response");
  await say(server, "POST", `/containers/${id}/start`);
  let text = "";
  for await (const chunk of answer) text += chunk;
  assert.deepEqual(JSON.parse(text), { StatusCode: 3 });
});

test("gives an attached client all output of a process that is started next, by stream", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["warn", "oops"] });
  const path = `/v1.47/containers/${id}/attach?stream=1&stdout=1&stderr=1`;
  const socket = await send(server, upgrade(path));
  await once(socket, "readable");
  await say(server, "POST", `/containers/${id}/start`);
  const answer = await readAll(socket);
  const end = answer.indexOf("\r\n\r\n") + 4;
  const head = answer.subarray(0, end).toString();
  assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(head, /Content-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
  assert.deepEqual(answer.subarray(end), piece(STDERR, Buffer.from("oops\n")));
});

test("calls the stream raw for clients of the older API, and for a terminal", async () => {
  await using server = await testServer();
  const plain = await makeContainer(server, { Cmd: ["echo", "x"] });
  const terminal = await makeContainer(server, { Cmd: ["warn", "x"], Tty: true });
  const stream = async (version: string, id: string) => {
    const query = "stream=1&stdout=1&stderr=1";
    const socket = await send(server, upgrade(`/v${version}/containers/${id}/attach?${query}`));
    await once(socket, "readable");
    await say(server, "POST", `/containers/${id}/start`);
    return (await readAll(socket)).toString("latin1");
  };
  assert.match(
    await stream("1.41", plain),
    /docker\.raw-stream\r\n[\s\S]*\x01\0\0\0\0\0\0\x02x\n$/,
  );
  assert.match(await stream("1.47", terminal), /docker\.raw-stream\r\n[\s\S]*\r\n\r\nx\n$/);
});

test("hands input on, and its end, when the client closes its side", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["cat"], OpenStdin: true, StdinOnce: true });
  const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1`;
  // the input comes with the head of the request in one piece
  const socket = await send(server, `${upgrade(path)}early `);
  await once(socket, "readable");
  await say(server, "POST", `/containers/${id}/start`);
  socket.end("late");
  const text = (await readAll(socket)).toString("latin1");
  assert.match(text, /early /);
  assert.match(text, /late$/);
});

test("attaches a client that does not upgrade", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["echo", "plain"] });
  const head = `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`;
  const socket = await send(server, head);
  await once(socket, "readable");
  await say(server, "POST", `/containers/${id}/start`);
  const text = (await readAll(socket)).toString("latin1");
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.ok(text.endsWith(piece(STDOUT, Buffer.from("plain\n")).toString("latin1")), text);
});

test("answers a refusal of an upgrade in plain HTTP", async () => {
  await using server = await testServer();
  const refused = async (path: string, body = "") =>
    (await readAll(await send(server, upgrade(path, body)))).toString();
  const gone = await refused("/containers/nobody/attach?stream=1");
  assert.match(gone, /^HTTP\/1\.1 404 [\s\S]*"No such container: nobody"/);
  assert.match(await refused("/exec/nobody/start", "{}"), /^HTTP\/1\.1 404 /);
  assert.match(await refused("/exec/nobody/start", "{"), /^HTTP\/1\.1 400 /);
  assert.match(await refused("/version"), /^HTTP\/1\.1 404 /);
  const id = await makeContainer(server, {});
  const keys = await refused(`/containers/${id}/attach?stream=1&detachKeys=foo`);
  assert.match(keys, /^HTTP\/1\.1 400 [\s\S]*invalid detach keys \(foo\) provided/);
});

test("detaches a terminal's client by its keys, and lets the process go on", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["cat"], OpenStdin: true, Tty: true });
  const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,b`;
  const socket = await send(server, upgrade(path));
  await once(socket, "readable");
  await say(server, "POST", `/containers/${id}/start`);
  socket.write("ab\x01b");
  assert.match((await readAll(socket)).toString(), /\r\n\r\nab$/);
  assert.equal(server.engine.held.attachments, 0);
  assert.equal(
    JSON.parse((await say(server, "GET", `/containers/${id}/json`)).text).State.Running,
    true,
  );
});

test("makes a process that floods its client wait for a client that does not read", async () => {
  await using server = await testServer();
  const size = 16 * 1024 * 1024;
  const id = await makeContainer(server, { Cmd: ["flood", String(size)] });
  const socket = await send(server, upgrade(`/containers/${id}/attach?stream=1&stdout=1`));
  await once(socket, "readable");
  socket.pause();
  await say(server, "POST", `/containers/${id}/start`);
  const { process } = server.engine.kept.get(id) ?? {};
  // it stands still once every buffer between is full
  let last = -1;
  for (let still = 0; still < 20; still++) {
    if (process?.flooded !== last) still = 0;
    last = process?.flooded ?? 0;
    await say(server, "GET", "/_ping");
  }
  assert.ok(last > 0 && last < size / 4, `${last} bytes`);
  const answer = await readAll(socket);
  assert.ok(answer.length > size);
});

test("lets go of what was held for clients that vanish", async () => {
  await using server = await testServer();
  const { held } = server.engine;
  const id = await makeContainer(server, { Cmd: ["sleep"] });
  await say(server, "POST", `/containers/${id}/start`);
  const plain = (line: string) => `${line} HTTP/1.1\r\nHost: d\r\n\r\n`;
  const clients = await Promise.all([
    send(server, upgrade(`/containers/${id}/attach?stream=1&stdout=1`)),
    send(server, plain(`POST /containers/${id}/wait`)),
    send(server, plain(`GET /containers/${id}/logs?follow=1&stdout=1`)),
    send(server, plain("GET /events")),
    send(server, plain(`GET /containers/${id}/stats`)),
  ]);
  await until(() => held.attachments === 1 && held.waits === 1 && held.logs === 1);
  const [attached, ...others] = clients;
  for (const client of others) client.destroy();
  await until(() => held.waits === 0 && held.logs === 0);
  await until(() => server.engine.happened.listenerCount("event") === 0);
  // what a vanished client was attached to tells by the next write
  attached?.destroy();
  const { process } = server.engine.kept.get(id) ?? {};
  await until(() => {
    process?.write("stdout", Buffer.from("x"));
    return held.attachments === 0;
  });
  assert.equal(process?.isRunning, true);
  assert.deepEqual(server.failures, []);
});

test("survives clients that vanish in the middle of a request", async () => {
  await using server = await testServer();
  const whole = upgrade("/exec/x/start", JSON.stringify({ Detach: false }));
  const create = `POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Image"`;
  for (const text of [whole, create]) {
    for (const length of [1, 20, text.length - 3, text.length]) {
      const socket = await send(server, text.slice(0, length));
      socket.destroy();
    }
  }
  assert.equal((await say(server, "GET", "/_ping")).status, 200);
  assert.deepEqual(server.failures, []);
});

test("runs further commands, with streams and detached", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, { Cmd: ["sleep"] });
  const idle = await say(server, "POST", `/containers/${id}/exec`, { Cmd: ["echo"] });
  assert.deepEqual([idle.status, message(idle)], [409, `container ${id} is not running`]);
  await say(server, "POST", `/containers/${id}/start`);
  const exec = async (body: object) => {
    const answer = await say(server, "POST", `/containers/${id}/exec`, body);
    return { status: answer.status, id: JSON.parse(answer.text).Id };
  };
  assert.equal((await exec({ Cmd: [] })).status, 400);
  const made = await exec({ Cmd: ["echo", "hi"], AttachStdout: true });
  assert.equal(made.status, 201);
  const start = upgrade(`/exec/${made.id}/start`, JSON.stringify({ Detach: false, Tty: false }));
  const text = (await readAll(await send(server, start))).toString("latin1");
  assert.ok(text.endsWith(piece(STDOUT, Buffer.from("hi\n")).toString("latin1")), text);
  const again = await say(server, "POST", `/exec/${made.id}/start`, { Detach: true });
  assert.equal(again.status, 409);
  const other = await exec({ Cmd: ["exit", "4"] });
  assert.equal(
    (await say(server, "POST", `/exec/${other.id}/start`, { Detach: true })).status,
    200,
  );
  await turn();
  const state = JSON.parse((await say(server, "GET", `/exec/${other.id}/json`)).text);
  assert.deepEqual([state.Running, state.ExitCode, state.ContainerID], [false, 4, id]);
});

test("keeps another user's containers out of sight and reach", async () => {
  await using server = await testServer();
  server.caller = { uid: 1000, gid: 1000, pid: 1 };
  const id = await makeContainer(server, { Cmd: ["sleep"] }, "alices");
  await say(server, "POST", `/containers/${id}/start`);
  const made = await say(server, "POST", `/containers/${id}/exec`, { Cmd: ["cat"] });
  const exec = JSON.parse(made.text).Id;
  server.caller = { uid: 1001, gid: 1001, pid: 2 };
  assert.deepEqual(JSON.parse((await say(server, "GET", "/containers/json?all=1")).text), []);
  const actions = [
    `GET /containers/${id}/json`,
    `GET /containers/${id}/logs?stdout=1`,
    `GET /containers/alices/top`,
    `GET /containers/${id}/archive?path=/`,
    `PUT /containers/${id}/archive?path=/`,
    `GET /containers/${id}/export`,
    `POST /containers/alices/kill`,
    `POST /containers/alices/attach?stream=1`,
    `POST /containers/alices/wait`,
    `POST /containers/alices/rename?name=x`,
    `POST /commit?container=alices`,
    `DELETE /containers/alices?force=1`,
    `GET /exec/${exec}/json`,
    `POST /exec/${exec}/resize?h=1&w=1`,
  ];
  for (const action of actions) {
    const [method = "", path = ""] = action.split(" ");
    assert.equal((await say(server, method, path)).status, 404, action);
  }
  assert.equal((await say(server, "POST", `/exec/${exec}/start`, { Detach: true })).status, 404);
  assert.equal(JSON.parse((await say(server, "GET", "/info")).text).Containers, 0);
  server.caller = { uid: 0, gid: 0, pid: 3 };
  assert.equal(JSON.parse((await say(server, "GET", "/containers/json")).text).length, 1);
});

test("tells each user of its own events alone", async () => {
  await using server = await testServer();
  server.caller = { uid: 1000, gid: 1000, pid: 1 };
  const socket = await send(server, "GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
  await until(() => server.engine.happened.listenerCount("event") > 0);
  server.caller = { uid: 1001, gid: 1001, pid: 2 };
  await makeContainer(server, {}, "bobs");
  server.caller = { uid: 1000, gid: 1000, pid: 1 };
  await makeContainer(server, {}, "alices");
  let text = "";
  for await (const bytes of socket) {
    text += bytes;
    if (text.includes("alices")) break;
  }
  assert.ok(!text.includes("bobs"));
});

test("reads no file for another user than the daemon's own", async () => {
  await using server = await testServer();
  server.caller = { uid: 4_000_000_000, gid: 1, pid: 1 };
  const body = { Image: "docker-archive:/root/secret.tar" };
  assert.equal((await say(server, "POST", "/containers/create", body)).status, 403);
  server.caller = undefined;
  const relative = await say(server, "POST", "/containers/create", { Image: "oci:images/x" });
  assert.equal(relative.status, 400);
});

test("prunes stopped containers that the filters take", async () => {
  await using server = await testServer();
  await makeContainer(server, { Labels: { keep: "1" } }, "kept");
  const id = await makeContainer(server, {}, "pruned");
  const running = await makeContainer(server, { Cmd: ["sleep"] });
  await say(server, "POST", `/containers/${running}/start`);
  const filters = encodeURIComponent('{"label!":["keep"]}');
  const answer = await say(server, "POST", `/containers/prune?filters=${filters}`);
  assert.deepEqual(JSON.parse(answer.text), { ContainersDeleted: [id], SpaceReclaimed: 1000 });
});

test("carries archives both ways, with what their path is in a header", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, {});
  const path = `/containers/${id}/archive?path=/etc`;
  const get = await ask(server, "GET", path);
  assert.equal(get.text, "tar");
  const stat = String(get.headers["x-docker-container-path-stat"]);
  assert.equal(JSON.parse(Buffer.from(stat, "base64").toString()).mode, 0o644);
  const put = await ask(server, "PUT", path, Buffer.from("content"), {});
  assert.equal(put.status, 200);
  assert.equal(server.engine.written.get("/etc")?.toString(), "content");
  assert.equal((await ask(server, "GET", `/containers/${id}/archive`)).status, 400);
});

test("says 501 for what the engine does not have", async () => {
  await using server = await testServer();
  const id = await makeContainer(server, {});
  const answer = await say(server, "POST", `/containers/${id}/restart`);
  assert.deepEqual([answer.status, server.failures], [501, []]);
});
