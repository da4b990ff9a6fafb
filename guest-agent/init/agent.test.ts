import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRNO } from "../linux/errno.ts";
import { POLLHUP, POLLIN, POLLOUT } from "../linux/poll.ts";
import { LINUX_REBOOT_CMD_RESTART } from "../linux/reboot.ts";
import { Channel, PROTOCOL_VERSION } from "../protocol/index.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { SyscallError } from "../syscalls/syscalls.ts";
import { Agent } from "./agent.ts";
import { EventLoop } from "./event-loop.ts";

const PORT = 3;
const again = (call: string) => new SyscallError(call, ERRNO.EAGAIN, "EAGAIN");

/** An agent on a fake kernel, and a host at the other end of its port. */
function connect() {
  const toGuest: Uint8Array[] = [];
  const state = { connected: true, writable: true };
  const recording = new RecordingSyscalls()
    .file("/proc/sys/kernel/random/boot_id", "a-boot-id\n")
    .on("poll", (fds) =>
      fds.map(({ fd, events }) => {
        if (fd !== PORT) return 0;
        if (!state.connected) return POLLHUP;
        return events & ((toGuest.length > 0 ? POLLIN : 0) | (state.writable ? POLLOUT : 0));
      }),
    );
  const received: unknown[] = [];
  let host = newHost();
  function newHost(): Channel {
    return new Channel({
      onMessage: (value) => received.push(value),
      onSynchronised: () => {},
      onOutput: () => {},
    });
  }
  const fake = portOf(recording, {
    read: (buffer) => {
      if (!state.connected) return 0;
      const piece = toGuest.shift();
      if (piece === undefined) throw again("read");
      const head = piece.subarray(0, buffer.length);
      buffer.set(head);
      if (head.length < piece.length) toGuest.unshift(piece.subarray(head.length));
      return head.length;
    },
    write: (bytes) => {
      if (!state.writable || !state.connected) throw again("write");
      host.receive(bytes.slice());
      return bytes.length;
    },
  });
  const loop = new EventLoop(fake);
  const agent = new Agent(fake, loop, PORT);
  const pushHost = () => {
    for (let piece = host.nextOutput(); piece !== undefined; piece = host.nextOutput()) {
      toGuest.push(piece);
    }
  };
  const turn = () => {
    for (let i = 0; i < 4; i++) {
      pushHost();
      agent.turn(0);
    }
  };
  return {
    recording,
    agent,
    received,
    state,
    turn,
    toGuest,
    open: (nonce: number) => {
      host = newHost();
      host.open(new Uint8Array(16).fill(nonce));
      turn();
    },
    ask: (id: number, request: object) => {
      host.send({ id, request });
      turn();
      return received.splice(0);
    },
  };
}

/** The recording's calls, with reads and writes of the port answered by `port`. */
function portOf(
  recording: RecordingSyscalls,
  port: { read: (buffer: Uint8Array) => number; write: (bytes: Uint8Array) => number },
) {
  const { sys } = recording;
  return new Proxy(sys, {
    get: (target, name) => {
      if (name === "read") {
        return (fd: number, buffer: Uint8Array) =>
          fd === PORT ? port.read(buffer) : target.read(fd, buffer);
      }
      if (name === "write" || name === "writeInPieces") {
        return (fd: number, bytes: Uint8Array) =>
          fd === PORT ? port.write(bytes) : target.write(fd, bytes);
      }
      return Reflect.get(target, name);
    },
  });
}

describe("Agent", () => {
  it("greets a host that opens the conversation", () => {
    const { open, received } = connect();
    open(1);
    assert.deepEqual(received, [
      {
        type: "hello",
        version: PROTOCOL_VERSION,
        kernel: "6.1.0",
        memoryBytes: 2 ** 27,
        uptime: 0,
        containers: {},
      },
    ]);
  });

  it("answers each request under its number", () => {
    const { open, received, ask } = connect();
    open(1);
    received.length = 0;
    assert.deepEqual(ask(7, { type: "machine.ping" }), [{ type: "reply", id: 7 }]);
  });

  it("refuses what a request asks for in vain, with a code and Docker's exit code", () => {
    const { open, received, ask } = connect();
    open(1);
    received.length = 0;
    assert.deepEqual(ask(8, { type: "container.pause", container: "nope" }), [
      {
        type: "failure",
        id: 8,
        error: { code: "CONTAINER_STATE", message: "no such container: nope", exitCode: 125 },
      },
    ]);
  });

  it("answers a request that it cannot make sense of and goes on", () => {
    const { open, received, ask } = connect();
    open(1);
    received.length = 0;
    const [answer] = ask(9, { type: "no.such.request" });
    assert.partialDeepStrictEqual(answer, {
      type: "failure",
      id: 9,
      error: { code: "BAD_MESSAGE" },
    });
    assert.deepEqual(ask(10, { type: "machine.ping" }), [{ type: "reply", id: 10 }]);
  });

  it("frees the streams of a process that could not start", () => {
    const { open, received, ask } = connect();
    open(1);
    received.length = 0;
    const process = {
      args: ["x"],
      env: [],
      cwd: "/",
      user: "",
      additionalGroups: [],
      capAdd: [],
      capDrop: [],
      privileged: false,
      noNewPrivileges: false,
      seccomp: "default",
      rlimits: [],
      stdio: { stdin: 1, stdout: 2, stderr: 3 },
    };
    for (const id of [11, 12]) {
      assert.partialDeepStrictEqual(
        ask(id, { type: "container.start", container: "c", process })[0],
        {
          type: "failure",
          id,
          error: { message: "no such container: c" },
        },
      );
    }
  });

  it("starts over with a host that opens anew in the middle of a conversation", () => {
    const { open, received, ask } = connect();
    open(1);
    received.length = 0;
    open(2);
    assert.partialDeepStrictEqual(received, [{ type: "hello" }]);
    received.length = 0;
    assert.deepEqual(ask(1, { type: "machine.ping" }), [{ type: "reply", id: 1 }]);
  });

  it("waits for the driver's signal while the host is away, and greets it when it is back", () => {
    const { open, received, recording, agent, state, turn } = connect();
    open(1);
    state.connected = false;
    turn();
    received.length = 0;
    recording.calls.length = 0;
    agent.turn(0);
    assert.deepEqual(recording.calls, [["poll", [], 0]]);
    state.connected = true;
    agent.onPortSignal();
    open(2);
    assert.partialDeepStrictEqual(received, [{ type: "hello" }]);
  });

  it("keeps output that the port does not take until it does", () => {
    const { open, received, ask, state, turn } = connect();
    open(1);
    received.length = 0;
    state.writable = false;
    assert.deepEqual(ask(1, { type: "machine.ping" }), []);
    state.writable = true;
    turn();
    assert.deepEqual(received, [{ type: "reply", id: 1 }]);
  });

  it("sets clock and name, and seeds the kernel's entropy with as many bits as bytes came", () => {
    const { open, received, recording, ask } = connect();
    open(1);
    received.length = 0;
    recording.file("/dev/urandom", "");
    const entropy = Buffer.from([1, 2, 3, 4]).toString("base64");
    const answer = ask(1, {
      type: "machine.configure",
      clock: "1700000000123456789",
      entropy,
      hostname: "box",
      interfaces: [],
    });
    assert.deepEqual(answer, [{ type: "reply", id: 1 }]);
    assert.deepEqual(recording.made("clock_settime"), [
      ["clock_settime", 0, { seconds: 1_700_000_000, nanoseconds: 123_456_789 }],
    ]);
    assert.deepEqual(recording.made("sethostname"), [["sethostname", "box"]]);
    const pool = recording.made("ioctlBuffer")[0]?.[3];
    assert.deepEqual(pool, Uint8Array.of(32, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4));
  });

  it("replies to a shutdown before it kills, writes out and restarts the machine", () => {
    const { open, received, recording, ask } = connect();
    open(1);
    received.length = 0;
    recording.calls.length = 0;
    const [answer] = ask(5, { type: "machine.shutdown" });
    assert.deepEqual(answer, { type: "reply", id: 5 });
    assert.deepEqual(recording.made("kill", "sync", "reboot").slice(0, 3), [
      ["kill", -1, 9],
      ["sync"],
      ["reboot", LINUX_REBOOT_CMD_RESTART],
    ]);
  });
});
