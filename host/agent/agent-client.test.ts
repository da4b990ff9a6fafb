import assert from "node:assert/strict";
import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  Channel,
  type FromHost,
  fromHost,
  INPUT_WINDOW,
  OLDEST_AGENT_VERSION,
  PROTOCOL_VERSION,
  STREAM_WINDOW,
} from "#protocol";
import { DvmError } from "../errors.ts";
import { type AgentClient, connectAgent, openAgent } from "./agent-client.ts";

const HELLO = {
  type: "hello",
  version: PROTOCOL_VERSION,
  kernel: "6.1.0",
  memoryBytes: 1,
  uptime: 1,
  containers: {},
};

/** A guest of a few lines: what it gets is listed, what it says is up to the test. */
class Guest {
  readonly got: FromHost[] = [];
  readonly channel: Channel;
  readonly transport: Duplex;

  constructor(transport: Duplex, hello: unknown = HELLO) {
    this.transport = transport;
    this.channel = new Channel({
      onMessage: (value) => this.got.push(fromHost.parse(value)),
      onSynchronised: () => this.channel.send(hello),
      onOutput: () => this.flush(),
    });
    transport.on("data", (piece: Uint8Array) => this.channel.receive(piece));
  }

  flush(): void {
    for (let piece = this.channel.nextOutput(); piece; piece = this.channel.nextOutput())
      this.transport.write(piece);
  }
}

async function connected(): Promise<{ client: AgentClient; guest: Guest }> {
  const [host, far] = duplexPair();
  const guest = new Guest(far);
  return { client: await connectAgent(host), guest };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    assert.ok(turns < 10_000, "the awaited state never came");
    await turn();
  }
}

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof DvmError && error.code === code && message.test(error.message);

describe("agent client", () => {
  it("pairs each answer with its request, in whatever order they come", async () => {
    const { client, guest } = await connected();
    const first = client.request({ type: "container.pause", container: "a" });
    const second = client.request({ type: "container.resume", container: "a" });
    await until(() => guest.got.length === 2);
    guest.channel.send({ type: "reply", id: guest.got[1]?.id, pid: 2 });
    guest.channel.send({
      type: "failure",
      id: guest.got[0]?.id,
      error: { code: "NO_SUCH_CONTAINER", message: "no such container: a", exitCode: 125 },
    });
    assert.equal((await second).pid, 2);
    await assert.rejects(first, refusal("NO_SUCH_CONTAINER", /no such container: a/));
    client.close();
  });

  it("refuses a guest of a version that it does not know", async () => {
    for (const version of [OLDEST_AGENT_VERSION - 1, PROTOCOL_VERSION + 1]) {
      const [host, far] = duplexPair();
      new Guest(far, { ...HELLO, version });
      const message = new RegExp(`version ${version} of the protocol`);
      await assert.rejects(connectAgent(host), refusal("AGENT_VERSION", message));
      assert.equal(host.destroyed, true);
    }
  });

  it("speaks to an older guest, and says so of what that does not know", async () => {
    const [host, far] = duplexPair();
    const guest = new Guest(far, { ...HELLO, version: OLDEST_AGENT_VERSION });
    const client = await connectAgent(host);
    const waiting = client.request({ type: "machine.ping" });
    await until(() => guest.got.length === 1);
    const error = { code: "BAD_MESSAGE", message: "message.request.type: x", exitCode: 125 };
    guest.channel.send({ type: "failure", id: guest.got[0]?.id, error });
    await assert.rejects(waiting, refusal("AGENT_VERSION", /of an older dvm: message\.request/));
    client.close();
  });

  it("refuses a guest that breaks the protocol and fails what waits for it", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    guest.channel.send({ type: "reply", id: 4242 });
    await assert.rejects(waiting, refusal("AGENT_PROTOCOL", /request 4242/));
    await assert.rejects(client.request({ type: "machine.ping" }), refusal("AGENT_LOST", /closed/));
  });

  it("survives a message nested deeper than its stack", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    const deep = `{"type":${"[".repeat(400_000)}${"]".repeat(400_000)}}`;
    guest.flush();
    // frame.ts: length of the payload, type MESSAGE, stream 0
    const header = Buffer.alloc(12);
    header.writeUInt32LE(deep.length, 0);
    header.writeUInt8(1, 4);
    guest.transport.write(Buffer.concat([header, Buffer.from(deep)]));
    await assert.rejects(waiting, refusal("AGENT_PROTOCOL", /message\.type: wanted one of/));
  });

  it("adds advice to what the guest refuses", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    await until(() => guest.got.length === 1);
    const error = { code: "UNKNOWN_USER", message: "unable to find user x", exitCode: 125 };
    guest.channel.send({ type: "failure", id: guest.got[0]?.id, error });
    await assert.rejects(waiting, { exitCode: 125, hint: /\/etc\/passwd/ });
    client.close();
  });

  it("refuses a second hello", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    guest.channel.send(HELLO);
    await assert.rejects(waiting, refusal("AGENT_PROTOCOL", /second hello/));
  });

  it("shows what a guest says without what a terminal would obey", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    await until(() => guest.got.length === 1);
    const error = {
      code: "X",
      message: `no \u001b]0;owned\u0007${"!".repeat(9000)}`,
      exitCode: 125,
    };
    guest.channel.send({ type: "failure", id: guest.got[0]?.id, error });
    await assert.rejects(waiting, (shown: Error) => {
      assert.match(shown.message, /^no \\x1b\]0;owned\\x07!+$/);
      return shown.message.length < 5000;
    });
    client.close();
  });

  it("fails what waits when the port closes", async () => {
    const { client, guest } = await connected();
    const waiting = client.request({ type: "machine.ping" });
    const closed = once(client, "closed");
    guest.transport.destroy();
    await assert.rejects(waiting, refusal("AGENT_LOST", /closed its port/));
    assert.ok((await closed)[0] instanceof DvmError);
  });

  it("stops waiting for the hello when told to", async () => {
    const [host] = duplexPair();
    await assert.rejects(
      connectAgent(host, { signal: AbortSignal.abort(new Error("enough")) }),
      /enough/,
    );
    const late = new AbortController();
    const connecting = connectAgent(duplexPair()[0], { signal: late.signal });
    late.abort(new Error("enough"));
    await assert.rejects(connecting, /enough/);
  });

  it("carries input and output with backpressure both ways", async () => {
    const { client, guest } = await connected();
    const input = client.openWritable();
    const output = client.openReadable();
    const chunks: Buffer[] = [];
    let taken = 0;
    let ended = false;
    const incoming = guest.channel.openIncoming(input.id, {
      onData: (bytes) => {
        chunks.push(Buffer.from(bytes));
        taken += bytes.length;
      },
      onEnd: () => {
        ended = true;
      },
    });
    const total = 3 * STREAM_WINDOW;
    input.end(Buffer.alloc(total, "x"));
    await until(() => taken === INPUT_WINDOW);
    for (let turns = 0; turns < 50; turns++) await turn();
    assert.equal(taken, INPUT_WINDOW, "nothing is sent beyond the window");
    let granted = 0;
    while (!ended) {
      // what is consumed may bring more at once
      const news = taken - granted;
      granted = taken;
      incoming.consume(news);
      await turn();
    }
    assert.equal(Buffer.concat(chunks).length, total);

    const back = guest.channel.openOutgoing(output.id);
    let sent = 0;
    const pump = () => {
      while (sent < total && back.room > 0) {
        const size = Math.min(back.room, total - sent);
        back.write(new Uint8Array(size).fill(sent & 0xff));
        sent += size;
      }
      if (sent === total) back.end();
    };
    back.onRoom = pump;
    pump();
    for (let turns = 0; turns < 50; turns++) await turn();
    assert.ok(sent < total, "a reader that does not read holds the sender up");
    let received = 0;
    for await (const chunk of output) received += (chunk as Buffer).length;
    assert.equal(received, total);
    client.close();
  });

  it("joins what a guest sends byte by byte while nobody reads", async () => {
    const { client, guest } = await connected();
    const output = client.openReadable();
    const back = guest.channel.openOutgoing(output.id);
    const total = 2_000;
    for (let sent = 0; sent < total; sent++) {
      back.write(Uint8Array.of(sent));
      guest.flush();
    }
    back.end();
    for (let turns = 0; turns < 200; turns++) await turn();
    let pieces = 0;
    const received: Uint8Array[] = [];
    output.on("data", (piece: Uint8Array) => {
      pieces++;
      received.push(piece);
    });
    await once(output, "end");
    assert.deepEqual(
      Buffer.concat(received),
      Buffer.from(Uint8Array.from({ length: total }, (_, at) => at)),
    );
    assert.ok(pieces < 400, `${pieces} pieces`);
    client.close();
  });

  it("keeps input that is complete before the guest has answered", async () => {
    const [host, far] = duplexPair();
    const { client, hello } = openAgent(host);
    const input = client.openWritable();
    input.end("early");
    for (let turns = 0; turns < 50; turns++) await turn();
    const guest = new Guest(far);
    let got = "";
    let ended = false;
    guest.channel.openIncoming(input.id, {
      onData: (bytes) => {
        got += Buffer.from(bytes).toString();
      },
      onEnd: () => {
        ended = true;
      },
    });
    await hello;
    await until(() => ended && input.writableFinished);
    assert.equal(got, "early");
    client.close();
  });

  it("ends the writer when the process closes its input", async () => {
    const { client, guest } = await connected();
    const input = client.openWritable();
    guest.channel.openIncoming(input.id, { onData: () => {}, onEnd: () => {} });
    const closed = once(input, "close");
    guest.channel.resetIncoming(input.id);
    await closed;
    client.close();
  });
});
