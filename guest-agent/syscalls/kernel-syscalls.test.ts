import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRNO } from "../linux/errno.ts";
import { RLIM_INFINITY } from "../linux/resource.ts";
import { CLONE_INTO_CGROUP, CLONE_NEWPID } from "../linux/sched.ts";
import { SYS } from "../linux/unistd_64.ts";
import type { Engine, SyscallArgument } from "./engine.ts";
import { kernelSyscalls } from "./kernel-syscalls.ts";
import { SyscallError } from "./syscalls.ts";

type Answer = (...args: (SyscallArgument | undefined)[]) => number;

/** An engine whose kernel is `answers`, by call number. */
function fakeEngine(answers: Readonly<Record<number, Answer>>): Engine {
  return {
    arguments: [],
    syscall: (number, ...args) => answers[number]?.(...args) ?? -ERRNO.ENOSYS,
    address: () => 0x7fff_1234_5678,
    encode: (text) => new Uint8Array(Buffer.from(text)).buffer,
    decode: (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString(),
  };
}

function viewOf(argument: SyscallArgument | undefined): DataView {
  assert.ok(ArrayBuffer.isView(argument));
  return new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
}

describe("kernelSyscalls", () => {
  it("throws the negative result with the call, the error's name and the path", () => {
    const sys = kernelSyscalls(fakeEngine({ [SYS.mkdir]: () => -ERRNO.EACCES }));
    assert.throws(
      () => sys.mkdir("/x", 0o755),
      new SyscallError("mkdir", ERRNO.EACCES, "EACCES", "/x"),
    );
  });

  it("gives an error without a name its number", () => {
    const sys = kernelSyscalls(fakeEngine({ [SYS.sync]: () => -4000 }));
    assert.throws(() => sys.sync(), { code: "E4000", errno: 4000 });
  });

  it("passes clone flags beyond 32 bits and the cgroup", () => {
    const seen: bigint[] = [];
    const clone3 = (args: SyscallArgument | undefined) => {
      const view = viewOf(args);
      seen.push(
        view.getBigUint64(0, true),
        view.getBigUint64(32, true),
        view.getBigUint64(80, true),
      );
      return 42;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.clone3]: clone3 }));
    assert.equal(sys.clone({ flags: CLONE_NEWPID, cgroup: 9 }), 42);
    assert.deepEqual(seen, [BigInt(CLONE_NEWPID + CLONE_INTO_CGROUP), 17n, 9n]);
  });

  it("splits capability sets into halves of 32 bits", () => {
    const seen: number[] = [];
    const capset = (_header: SyscallArgument, data: SyscallArgument) => {
      const view = viewOf(data);
      for (let at = 0; at < 24; at += 4) seen.push(view.getUint32(at, true));
      return 0;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.capset]: capset as Answer }));
    sys.capset({ effective: 1n, permitted: (1n << 40n) | 2n, inheritable: 0n });
    assert.deepEqual(seen, [1, 2, 0, 0, 256, 0]);
  });

  it("writes and reads an unlimited resource as 64 set bits", () => {
    const prlimit64 = (
      _pid: unknown,
      _resource: unknown,
      limit: SyscallArgument,
      old: SyscallArgument,
    ) => {
      assert.equal(viewOf(limit).getBigUint64(8, true), 2n ** 64n - 1n);
      viewOf(old).setBigUint64(0, 1024n, true);
      viewOf(old).setBigUint64(8, 2n ** 64n - 1n, true);
      return 0;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.prlimit64]: prlimit64 as Answer }));
    const old = sys.prlimit64(0, 7, { soft: 5, hard: RLIM_INFINITY });
    assert.deepEqual(old, { soft: 1024, hard: RLIM_INFINITY });
  });

  it("points the seccomp program's header at its instructions", () => {
    const seccomp = (_mode: unknown, flags: SyscallArgument, fprog: SyscallArgument) => {
      assert.equal(flags, 4);
      assert.equal(viewOf(fprog).getUint16(0, true), 3);
      assert.equal(viewOf(fprog).getBigUint64(8, true), 0x7fff_1234_5678n);
      return 0;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.seccomp]: seccomp as Answer }));
    sys.seccomp(4, new Uint8Array(24));
  });

  it("reads folder entries until the kernel has no more", () => {
    const records = [
      [".", 4],
      ["..", 4],
      ["file", 8],
      ["folder with a longer name", 4],
    ] as const;
    let calls = 0;
    const getdents64 = (_fd: unknown, buffer: SyscallArgument) => {
      const view = viewOf(buffer);
      let at = 0;
      for (const [name, type] of calls++ === 0 ? records : []) {
        const length = (19 + name.length + 1 + 7) & ~7;
        view.setUint16(at + 16, length, true);
        view.setUint8(at + 18, type);
        for (const [i, byte] of Buffer.from(`${name}\0`).entries())
          view.setUint8(at + 19 + i, byte);
        at += length;
      }
      return at;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.getdents64]: getdents64 as Answer }));
    assert.deepEqual(sys.getdents64(3), [
      { name: "file", type: 8 },
      { name: "folder with a longer name", type: 4 },
    ]);
    assert.equal(calls, 2);
  });

  it("writes what is long by one call in pieces, whatever was written from there before", () => {
    const written: [base: number, length: number][][] = [];
    const writev = (_fd: unknown, vectors: SyscallArgument | undefined, count: unknown) => {
      const view = viewOf(vectors);
      const each = Array.from({ length: Number(count) }, (_, index): [number, number] => [
        Number(view.getBigUint64(16 * index, true)),
        Number(view.getBigUint64(16 * index + 8, true)),
      ]);
      written.push(each);
      return each.reduce((sum, [, length]) => sum + length, 0);
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.writev]: writev }));
    const start = 0x7fff_1234_5678;
    for (const length of [250, 200, 300]) {
      assert.equal(sys.writeInPieces(3, new Uint8Array(length), 100), length);
    }
    assert.deepEqual(
      written.map((each) => each.map(([base, length]) => [base - start, length])),
      [
        [
          [0, 100],
          [100, 100],
          [200, 50],
        ],
        [
          [0, 100],
          [100, 100],
        ],
        [
          [0, 100],
          [100, 100],
          [200, 100],
        ],
      ],
    );
  });

  it("polls again after an interruption", () => {
    let calls = 0;
    const poll = (fds: SyscallArgument | undefined) => {
      if (calls++ === 0) return -ERRNO.EINTR;
      viewOf(fds).setUint16(8 + 6, 1, true);
      return 1;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.poll]: poll }));
    const fds = [
      { fd: 3, events: 1 },
      { fd: 4, events: 1 },
    ];
    assert.deepEqual(sys.poll(fds), [0, 1]);
  });

  it("refuses a link's target that may have been cut", () => {
    const sys = kernelSyscalls(fakeEngine({ [SYS.readlinkat]: () => 4096 }));
    assert.throws(() => sys.readlink("/l"), { code: "ENAMETOOLONG" });
  });

  it("sets one bit for each signal of a mask", () => {
    let mask = 0n;
    const sigprocmask = (_how: unknown, set: SyscallArgument) => {
      mask = viewOf(set).getBigUint64(0, true);
      return 0;
    };
    const sys = kernelSyscalls(fakeEngine({ [SYS.rt_sigprocmask]: sigprocmask as Answer }));
    sys.sigprocmask([1, 17, 64]);
    assert.equal(mask, 1n | (1n << 16n) | (1n << 63n));
  });
});
