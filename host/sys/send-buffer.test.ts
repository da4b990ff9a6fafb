import assert from "node:assert/strict";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileDescriptor } from "./file-descriptor.ts";
import { setSendBuffer } from "./send-buffer.ts";
import { SystemError } from "./system-error.ts";

/** How much a connection takes at once for a peer that reads nothing, in `bytes`. */
async function takenAtOnce(path: string, sendBuffer: number): Promise<number> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket.pause())).listen(path);
  const socket = createConnection(path);
  const [peer] = await Promise.all([accepted.promise, once(socket, "connect")]);
  try {
    const { _handle } = socket as { readonly _handle?: { readonly fd?: unknown } };
    setSendBuffer(Number(_handle?.fd), sendBuffer);
    const piece = Buffer.alloc(4096);
    let taken = 0;
    while (socket.writableLength === 0) {
      socket.write(piece);
      taken += piece.length;
    }
    return taken;
  } finally {
    socket.destroy();
    peer.destroy();
    server.close();
  }
}

test("a socket takes more ahead of its reader when it is told to", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dvm-send-buffer-"));
  try {
    const little = await takenAtOnce(join(folder, "a"), 8 * 1024);
    const much = await takenAtOnce(join(folder, "b"), 128 * 1024);
    assert.ok(much > 4 * little, `${much} against ${little}`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("refuses a descriptor that is no socket", () => {
  using file = new FileDescriptor(openSync("/dev/null", "r"));
  assert.throws(
    () => setSendBuffer(file.number, 4096),
    (error) => error instanceof SystemError && error.code === "ENOTSOCK",
  );
});
