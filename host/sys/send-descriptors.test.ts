import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { sendDescriptors } from "./send-descriptors.ts";
import { connectUnix } from "./unix-socket.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-send-"));
after(() => rmSync(folder, { recursive: true }));

/** Takes a message with two descriptors and prints all three. */
const RECEIVER = `
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1]); server.listen(1)
print("listens", flush=True)
peer, _ = server.accept()
data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_LEN(8))
fds = array.array("i", ancillary[0][2])
print(data.decode(), *[os.read(fd, 100).decode() for fd in fds], end="")
`;

describe("sendDescriptors", () => {
  it("gives another process the open files together with the bytes", async (context) => {
    const hasPython = await new Promise<boolean>((resolve) =>
      execFile("python3", ["--version"], (error) => resolve(error === null)),
    );
    if (!hasPython) return context.skip("the receiver is written in Python");
    const path = join(folder, "socket");
    const receiver = spawn("python3", ["-c", RECEIVER, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    receiver.stdout.on("data", (text) => {
      said += text;
    });
    await new Promise((resolve) => receiver.stdout.once("data", resolve));
    const files = ["one", "two"].map((content) => {
      writeFileSync(join(folder, content), content);
      return openSync(join(folder, content), "r");
    });
    using socket = connectUnix(path);
    sendDescriptors(socket.number, Buffer.from("bytes"), files);
    for (const file of files) closeSync(file);
    await new Promise((resolve) => receiver.once("close", resolve));
    assert.equal(said, "listens\nbytes one two");
  });

  it("tells of a socket that is none", () => {
    assert.throws(() => sendDescriptors(0x7fff, Buffer.from("x"), [0]), { code: "EBADF" });
  });
});
