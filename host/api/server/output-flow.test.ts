import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  Channel,
  FRAME_HEADER_SIZE,
  MAX_DATA_PAYLOAD,
  type OutgoingStream,
  PROTOCOL_VERSION,
  STREAM_WINDOW,
} from "#protocol";
import { type AgentClient, connectAgent } from "../../agent/agent-client.ts";
import { OutputHub } from "../../engine/daemon/output-hub.ts";
import { connectAgentPort } from "../../vmm/agent-connection.ts";
import { outputSink } from "./output-sink.ts";

const MIB = 2 ** 20;
const PIECE = MAX_DATA_PAYLOAD - FRAME_HEADER_SIZE;
/** What the quick reader gets, in pieces. */
const PIECES = 96;
/** Bytes between two looks at what is kept. */
const SAMPLE = 8 * MIB;

/** Memory that nobody refers to is not what is looked for. */
const collect = ((): (() => void) => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
})();

/** Both ends of a connection; `path` is of the socket that is listened at. */
async function connection(
  path: string,
  use: AsyncDisposableStack,
  open: (path: string) => Socket = createConnection,
): Promise<[Socket, Socket]> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket)).listen(path);
  const socket = open(path);
  const [peer] = await Promise.all([accepted.promise, once(socket, "connect")]);
  use.defer(() => {
    for (const each of [socket, peer, server])
      if ("destroy" in each) each.destroy();
      else each.close();
  });
  return [socket, peer];
}

/** A guest whose processes write as much as it lets them; `written` tells how much of each stream. */
class FloodingGuest {
  readonly written = new Map<number, number>();
  readonly #channel: Channel;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#channel = new Channel({
      onMessage: () => {},
      onSynchronised: () => this.#greet(),
      onOutput: () => queueMicrotask(() => this.#pull()),
    });
    socket.on("data", (piece: Buffer) => void this.#channel.receive(piece));
    socket.on("drain", () => this.#pull());
  }

  /** @param most in pieces */
  flood(id: number, most: number): void {
    const stream = this.#channel.openOutgoing(id);
    stream.onRoom = () => this.#fill(stream, most);
    this.#fill(stream, most);
  }

  #fill(stream: OutgoingStream, most: number): void {
    for (let written = this.written.get(stream.id) ?? 0; stream.room >= PIECE; ) {
      if (written === most) {
        stream.end();
        return;
      }
      stream.write(new Uint8Array(PIECE).fill(written & 0x7f));
      this.written.set(stream.id, ++written);
    }
  }

  #greet(): void {
    const machine = { kernel: "test", memoryBytes: MIB, uptime: 1 };
    this.#channel.send({ type: "hello", version: PROTOCOL_VERSION, containers: {}, ...machine });
  }

  #pull(): void {
    while (this.#socket.writableLength === 0) {
      const frame = this.#channel.nextOutput();
      if (frame === undefined) return;
      this.#socket.write(frame);
    }
  }
}

function openOutput(client: AgentClient, target: Socket): { id: number; hub: OutputHub } {
  const hub = new OutputHub();
  hub.add(outputSink({ connection: target, onFirst: () => {} }));
  const { id } = hub.bind(client.openIncoming(hub));
  return { id, hub };
}

test("a reader that stops holds up its own stream alone, and what passes is not kept", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dvm-flow-"));
  await using use = new AsyncDisposableStack();
  use.defer(() => rm(folder, { recursive: true }));
  const [ours, theirs] = await connection(join(folder, "agent"), use, connectAgentPort);
  const guest = new FloodingGuest(theirs);
  const client = await connectAgent(ours);
  use.defer(() => client.close());
  const [toStalled, stalled] = await connection(join(folder, "stalled"), use);
  const [toQuick, quick] = await connection(join(folder, "quick"), use);
  stalled.pause();
  const held = openOutput(client, toStalled);
  const free = openOutput(client, toQuick);
  collect();
  const before = process.memoryUsage().arrayBuffers;
  let [received, torn, most, samples] = [0, 0, 0, 0];
  quick.on("data", (piece: Buffer) => {
    for (const at of [0, piece.length - 1]) {
      if (piece[at] !== (Math.floor((received + at) / PIECE) & 0x7f)) torn++;
    }
    received += piece.length;
    if (received < samples * SAMPLE) return;
    samples++;
    collect();
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  });
  guest.flood(held.id, 10 * PIECES);
  guest.flood(free.id, PIECES);
  await free.hub.ended;
  while (received < PIECES * PIECE) await once(quick, "data");
  assert.equal(received, PIECES * PIECE);
  assert.equal(torn, 0);
  // what the kernel holds of a connection has been consumed
  assert.ok((guest.written.get(held.id) ?? 0) * PIECE <= STREAM_WINDOW + 2 * MIB);
  // some windows of each, since the guest is in this process too; all of it would be twice as much
  assert.ok(most - before < (PIECES * PIECE) / 2, `${(most - before) / MIB} MiB`);
});
