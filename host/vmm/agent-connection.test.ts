import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { connectAgentPort } from "./agent-connection.ts";

async function pair(use: AsyncDisposableStack): Promise<{ ours: Socket; theirs: Socket }> {
  const folder = await mkdtemp(join(tmpdir(), "dvm-port-"));
  use.defer(() => rm(folder, { recursive: true }));
  const path = join(folder, "agent");
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve).listen(path);
  use.defer(() => void server.close());
  await once(server, "listening");
  const ours = connectAgentPort(path);
  const theirs = await accepted.promise;
  use.defer(() => {
    ours.destroy();
    theirs.destroy();
  });
  await once(ours, "connect");
  return { ours, theirs };
}

test("what comes before anybody listens waits, and comes before the rest", async () => {
  await using use = new AsyncDisposableStack();
  const { ours, theirs } = await pair(use);
  theirs.write("early ");
  while (ours.readableLength === 0) await setImmediate();
  const received: string[] = [];
  ours.on("data", (piece: Buffer) => received.push(piece.toString()));
  theirs.end("late");
  await once(ours, "end");
  assert.equal(received.join(""), "early late");
});

test("a megabyte comes whole, through memory that all reads have in common", async () => {
  await using use = new AsyncDisposableStack();
  const { ours, theirs } = await pair(use);
  const sent = Buffer.from(Array.from({ length: 2 ** 20 }, (_, at) => at % 251));
  const pieces: Buffer[] = [];
  const memories = new Set<ArrayBufferLike>();
  ours.on("data", (piece: Buffer) => {
    pieces.push(Buffer.from(piece));
    memories.add(piece.buffer);
  });
  theirs.end(sent);
  await once(ours, "end");
  assert.deepEqual(Buffer.concat(pieces), sent);
  assert.equal(memories.size, 1);
});

test("a listener that pauses the connection gets no more until it goes on", async () => {
  await using use = new AsyncDisposableStack();
  const { ours, theirs } = await pair(use);
  const received: number[] = [];
  ours.on("data", (piece: Buffer) => {
    received.push(piece.length);
    if (received.length === 1) ours.pause();
  });
  theirs.write("one");
  while (received.length === 0) await setImmediate();
  theirs.end("three");
  await once(theirs, "finish");
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  assert.deepEqual(received, [3]);
  ours.resume();
  await once(ours, "end");
  assert.deepEqual(received, [3, 5]);
});
