import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { O_CREAT, O_RDONLY, O_WRONLY } from "../linux/fcntl.ts";
import { ProcessEnded, RecordingSyscalls } from "./recording-syscalls.ts";

describe("RecordingSyscalls", () => {
  it("writes calls down in order, with what a buffer held at the time", () => {
    const recording = new RecordingSyscalls();
    const bytes = Uint8Array.of(1, 2);
    recording.sys.write(1, bytes);
    bytes[0] = 9;
    recording.sys.sync();
    assert.deepEqual(recording.calls, [["write", 1, Uint8Array.of(1, 2)], ["sync"]]);
  });

  it("fails the scripted call once, about the scripted subject", () => {
    const recording = new RecordingSyscalls().fail("mkdir", "EACCES", "/b");
    recording.sys.mkdir("/a", 0o755);
    assert.throws(() => recording.sys.mkdir("/b", 0o755), { code: "EACCES", subject: "/b" });
    recording.sys.mkdir("/b", 0o755);
  });

  it("keeps files that were written", () => {
    const recording = new RecordingSyscalls().folder("/etc");
    const { sys } = recording;
    const fd = sys.open("/etc/x", O_WRONLY | O_CREAT, 0o600);
    sys.write(fd, Buffer.from("one "));
    sys.write(fd, Buffer.from("two"));
    sys.close(fd);
    assert.equal(recording.text("/etc/x"), "one two");
    assert.deepEqual(
      sys.getdents64(sys.open("/etc", O_RDONLY)).map(({ name }) => name),
      ["x"],
    );
    assert.throws(() => sys.open("/etc/y", O_RDONLY), { code: "ENOENT" });
  });

  it("ends the process at execve and exit", () => {
    const { sys } = new RecordingSyscalls();
    assert.throws(() => sys.execve("/bin/x", ["x"], []), ProcessEnded);
    assert.throws(() => sys.exit(3), ProcessEnded);
  });
});
