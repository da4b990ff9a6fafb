import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ServedCard } from "./served-card.ts";
import { descriptorOf, StreamDoor } from "./stream-door.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-card-"));
after(() => rmSync(folder, { recursive: true }));

describe("a card that programs serve", () => {
  it("hands on the connection of the machine, unread, from whichever door it comes", async () => {
    const path = join(folder, "one.sock");
    const said: string[] = [];
    await using card = new ServedCard(path, async (connection) => {
      const socket = await connection;
      assert.ok(descriptorOf(socket) > 2);
      socket.resume();
      said.push(String((await once(socket, "data"))[0]));
    });
    await card.connect();
    const machine = createConnection(path);
    machine.write("frame");
    await card.settled();
    // of a machine that was kept ready: connected long before
    using door = await StreamDoor.open(join(folder, "two.sock"));
    const spare = createConnection(join(folder, "two.sock"));
    spare.write("other frame");
    await card.connect([{ kind: "stream", connection: await door.connection }]);
    await card.settled();
    assert.deepEqual(said, ["frame", "other frame"]);
    machine.destroy();
    spare.destroy();
  });

  it("ends what it has started with itself, and at once what comes later", async () => {
    const path = join(folder, "three.sock");
    const ended: string[] = [];
    const part = (name: string) => ({ [Symbol.dispose]: () => void ended.push(name) });
    const slow = Promise.withResolvers<void>();
    const card = new ServedCard(path, async (_connection, keep) => {
      keep(part("early"));
      await slow.promise;
      keep(part("late"));
    });
    await card.connect();
    const over = card[Symbol.asyncDispose]();
    assert.deepEqual(ended, ["early"]);
    slow.resolve();
    await over;
    assert.deepEqual(ended, ["early", "late"]);
  });

  it("serves a next machine when what served the one before is no more", async () => {
    const ending = Promise.withResolvers<void>();
    const begun: string[] = [];
    const card = new ServedCard(join(folder, "five.sock"), async (_connection, keep) => {
      begun.push("served");
      keep({ gone: () => ending.promise, [Symbol.dispose]: () => void begun.push("ended") });
    });
    await card.connect();
    const again = card.connect();
    await new Promise(setImmediate);
    assert.deepEqual(begun, ["served", "ended"]);
    ending.resolve();
    await again;
    assert.deepEqual(begun, ["served", "ended", "served"]);
    await card[Symbol.asyncDispose]();
  });

  it("begins when somebody waits for it, where that is soon enough", async () => {
    const begun: string[] = [];
    const path = join(folder, "six.sock");
    const serve = async () => void begun.push("served");
    const card = new ServedCard(path, serve, { isQuick: true });
    await card.connect();
    await card.connect();
    await new Promise(setImmediate);
    assert.deepEqual(begun, []);
    await Promise.all([card.settled(), card.settled()]);
    assert.deepEqual(begun, ["served"]);
    await card[Symbol.asyncDispose]();
  });

  it("fails when the machine never comes, and says so to whoever waits", async () => {
    const card = new ServedCard(join(folder, "four.sock"), async (connection) => {
      await connection;
    });
    await card.connect();
    const settled = card.settled();
    await card[Symbol.asyncDispose]();
    await assert.rejects(settled, { code: "NETWORK_FAILED" });
  });
});
