import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileDescriptor } from "./file-descriptor.ts";
import { peerCredentials } from "./peer-credentials.ts";
import { SystemError } from "./system-error.ts";
import { connectUnix, listenUnix } from "./unix-socket.ts";

test("names the process that listens at the other end of a socket", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dvm-peer-"));
  try {
    using _ = listenUnix(join(folder, "socket"));
    using client = connectUnix(join(folder, "socket"));
    assert.deepEqual(peerCredentials(client.number), {
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("refuses a descriptor that is no socket", () => {
  using file = new FileDescriptor(openSync("/dev/null", "r"));
  assert.throws(
    () => peerCredentials(file.number),
    (error) => error instanceof SystemError && error.code === "ENOTSOCK",
  );
});
