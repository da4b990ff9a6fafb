import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { RingError } from "../virtio/chain.ts";
import { FATTR_FH, FATTR_KILL_SUIDGID, FATTR_SIZE, fuse_opcode as op } from "./fuse.ts";
import { TestGuest } from "./test-guest.ts";

const ENOENT = 2;
const EBADF = 9;
const EACCES = 13;
const EEXIST = 17;
const EINVAL = 22;
const EROFS = 30;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const ESTALE = 116;
const O_RDWR = 2;
const ENTRY = 128;
const isRoot = process.geteuid?.() === 0;

let folder = "";
let guest: TestGuest;
const inShare = (name: string): string => join(folder, "share", name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dvm-fuse-"));
  mkdirSync(inShare("sub"), { recursive: true });
  writeFileSync(inShare("file"), "0123456789");
  writeFileSync(join(folder, "secret"), "secret");
  guest = new TestGuest([
    { name: "data", path: join(folder, "share") },
    { name: "fixed", path: join(folder, "share"), readOnly: true },
    { name: "one", path: inShare("file"), kind: "file" },
  ]);
  guest.start();
});

afterEach(() => {
  guest.server.reset();
  rmSync(folder, { recursive: true });
});

describe("a FUSE server", () => {
  it("agrees on what both know", () => {
    const { errno, view, body } = guest.start();
    assert.equal(errno, 0);
    assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true), body.length], [7, 37, 64]);
    assert.equal(view.getUint32(12, true) & (1 << 1), 0); // no locks over the wire: the guest's kernel keeps them
  });

  it("knows its shares by name, and nothing else in its root", () => {
    assert.notEqual(guest.walk("data"), guest.walk("fixed"));
    assert.equal(guest.ask({ opcode: op.FUSE_LOOKUP, body: ["other"] }).errno, ENOENT);
    assert.equal(guest.ask({ opcode: op.FUSE_MKDIR, body: [[0o755, 0], "new"] }).errno, EROFS);
    assert.equal(guest.ask({ opcode: op.FUSE_OPENDIR, body: [[0, 0]] }).errno, EBADF);
    assert.equal(
      guest.ask({ opcode: op.FUSE_GETATTR, body: [0, 0] }).view.getUint32(16 + 60, true),
      0o40555,
    );
  });

  it("tells a file's attributes", () => {
    const { view } = guest.ask({
      opcode: op.FUSE_GETATTR,
      node: guest.walk("data/file"),
      body: [0, 0],
    });
    const stat = statSync(inShare("file"));
    assert.equal(Number(view.getBigUint64(16, true)), stat.ino);
    assert.equal(Number(view.getBigUint64(16 + 8, true)), 10);
    assert.equal(view.getUint32(16 + 60, true), stat.mode);
    assert.equal(Number(view.getBigUint64(16 + 32, true)), Math.floor(stat.mtimeMs / 1000));
  });

  it("reads and writes at any place, and no further than the end", () => {
    const node = guest.walk("data/file");
    const handle = guest.open(node, O_RDWR);
    const read = (offset: number, size: number) =>
      guest.ask({
        opcode: op.FUSE_READ,
        node,
        body: [handle, offset, [size, 0], 0, 0],
        room: size,
      });
    assert.equal(Buffer.from(read(2, 4).body).toString(), "2345");
    assert.equal(Buffer.from(read(8, 100).body).toString(), "89");
    assert.equal(read(10, 10).body.length, 0);
    const data = Buffer.from("abc");
    const written = guest.ask({
      opcode: op.FUSE_WRITE,
      node,
      body: [handle, 8, [3, 0], 0, 0, data],
    });
    assert.equal(written.view.getUint32(0, true), 3);
    assert.equal(readFileSync(inShare("file"), "utf8"), "01234567abc");
    assert.equal(guest.ask({ opcode: op.FUSE_RELEASE, node, body: [handle, 0, 0] }).errno, 0);
    assert.equal(read(0, 1).errno, EBADF);
  });

  it("creates files, folders, links and pipes for the guest's user", { skip: !isRoot }, () => {
    const node = guest.walk("data/sub");
    const user = { user: 1234, group: 5678 };
    const created = guest.ask({
      opcode: op.FUSE_CREATE,
      node,
      body: [[O_RDWR, 0o640], [0, 0], "new"],
      ...user,
    });
    assert.equal(created.errno, 0);
    assert.ok(created.view.getUint32(ENTRY, true) > 0);
    assert.equal(
      guest.ask({ opcode: op.FUSE_MKDIR, node, body: [[0o700, 0], "dir"], ...user }).errno,
      0,
    );
    assert.equal(
      guest.ask({ opcode: op.FUSE_SYMLINK, node, body: ["link", "/etc/passwd"], ...user }).errno,
      0,
    );
    assert.equal(
      guest.ask({ opcode: op.FUSE_MKNOD, node, body: [[0o10600, 0], 0, "pipe"], ...user }).errno,
      0,
    );
    for (const name of ["new", "dir", "link", "pipe"]) {
      const { uid, gid } = lstatSync(inShare(`sub/${name}`));
      assert.deepEqual([uid, gid], [1234, 5678]);
    }
    assert.equal(statSync(inShare("sub/new")).mode & 0o7777, 0o640 & ~process.umask());
    const link = guest.walk("data/sub/link");
    const target = guest.ask({ opcode: op.FUSE_READLINK, node: link });
    assert.equal(Buffer.from(target.body).toString(), "/etc/passwd");
  });

  it("creates exclusively where that is asked for, and opens what is there where not", () => {
    const node = guest.walk("data");
    const create = (flags: number) =>
      guest.ask({ opcode: op.FUSE_CREATE, node, body: [[flags | O_RDWR, 0o644], [0, 0], "file"] });
    assert.equal(create(0o200).errno, EEXIST);
    assert.equal(create(0).errno, 0);
    assert.equal(readFileSync(inShare("file"), "utf8"), "0123456789");
    execFileSync("mkfifo", [inShare("pipe")]);
    const pipe = guest.ask({
      opcode: op.FUSE_CREATE,
      node,
      body: [[O_RDWR, 0o644], [0, 0], "pipe"],
    });
    assert.equal(pipe.errno, EACCES); // and it does not hang
  });

  it("moves, links and removes", () => {
    const node = guest.walk("data");
    const sub = guest.walk("data/sub");
    assert.equal(
      guest.ask({ opcode: op.FUSE_LINK, node, body: [guest.walk("data/file"), "twin"] }).errno,
      0,
    );
    assert.equal(guest.walk("data/twin"), guest.walk("data/file"));
    assert.equal(
      guest.ask({ opcode: op.FUSE_RENAME2, node, body: [sub, [1, 0], "twin", "moved"] }).errno,
      0,
    );
    assert.deepEqual(readdirSync(inShare("sub")), ["moved"]);
    assert.equal(
      guest.ask({ opcode: op.FUSE_RENAME2, node, body: [sub, [1, 0], "file", "moved"] }).errno,
      EEXIST,
    );
    assert.equal(guest.ask({ opcode: op.FUSE_UNLINK, node: sub, body: ["moved"] }).errno, 0);
    assert.equal(guest.ask({ opcode: op.FUSE_RMDIR, node, body: ["sub"] }).errno, 0);
    assert.deepEqual(readdirSync(join(folder, "share")), ["file"]);
  });

  it("keeps a file that is open or known, whatever becomes of its name", () => {
    const node = guest.walk("data/file");
    const handle = guest.open(node, O_RDWR);
    renameSync(inShare("file"), inShare("other"));
    assert.equal(guest.ask({ opcode: op.FUSE_GETATTR, node, body: [0, 0] }).errno, 0);
    rmSync(inShare("other"));
    const read = guest.ask({
      opcode: op.FUSE_READ,
      node,
      body: [handle, 0, [4, 0], 0, 0],
      room: 4,
    });
    assert.equal(Buffer.from(read.body).toString(), "0123");
    const { view } = guest.ask({ opcode: op.FUSE_GETATTR, node, body: [0, 0] });
    assert.equal(view.getUint32(16 + 64, true), 0); // no name is left
  });

  it("sets length, mode, owner and times", { skip: !isRoot }, () => {
    const node = guest.walk("data/file");
    const body = new Uint8Array(88);
    const view = new DataView(body.buffer);
    view.setUint32(0, 1 | 2 | 4 | 8 | 16 | 32, true);
    view.setUint32(16, 4, true);
    view.setBigUint64(32, 1000n, true);
    view.setBigUint64(40, 2000n, true);
    view.setUint32(60, 500_000_000, true);
    view.setUint32(68, 0o4711, true);
    view.setUint32(76, 42, true);
    view.setUint32(80, 43, true);
    assert.equal(guest.ask({ opcode: op.FUSE_SETATTR, node, body: [body] }).errno, 0);
    const { size, mode, uid, gid, atimeMs, mtimeMs } = statSync(inShare("file"));
    assert.deepEqual([size, mode & 0o7777, uid, gid], [4, 0o4711, 42, 43]);
    assert.deepEqual([atimeMs, mtimeMs], [1_000_000, 2_000_500]);
  });

  it("takes the set-user bit from a file that is written by one who may not keep it", () => {
    const node = guest.walk("data/file");
    execFileSync("chmod", ["6775", inShare("file")]);
    const handle = guest.open(node, O_RDWR);
    guest.ask({ opcode: op.FUSE_WRITE, node, body: [handle, 0, [1, 4], 0, 0, Buffer.from("x")] });
    assert.equal(statSync(inShare("file")).mode & 0o7777, 0o775);
  });

  for (const opcode of [op.FUSE_READDIR, op.FUSE_READDIRPLUS]) {
    it(`lists a folder in as many answers as it takes, by operation ${opcode}`, () => {
      const names = Array.from(
        { length: 300 },
        (_, index) => `${index}-${"n".repeat(index % 200)}`,
      );
      for (const name of names) writeFileSync(inShare(`sub/${name}`), "");
      const node = guest.walk("data/sub");
      const handle = guest.open(node, 0, op.FUSE_OPENDIR);
      const found: string[] = [];
      for (let position = 0n; ; ) {
        const { view, body } = guest.ask({
          opcode,
          node,
          body: [handle, position, [4096, 0], 0, 0],
        });
        if (body.length === 0) break;
        for (let at = 0; at < body.length; ) {
          if (opcode === op.FUSE_READDIRPLUS) at += ENTRY;
          position = view.getBigUint64(at + 8, true);
          const length = view.getUint32(at + 16, true);
          found.push(Buffer.from(body.subarray(at + 24, at + 24 + length)).toString());
          at += Math.ceil((24 + length) / 8) * 8;
        }
      }
      assert.deepEqual(found.sort(), [".", "..", ...names].sort());
    });
  }

  it("keeps extended attributes of users, and no others", () => {
    const node = guest.walk("data/file");
    const value = Buffer.from("value");
    const set = (name: string) =>
      guest.ask({ opcode: op.FUSE_SETXATTR, node, body: [[5, 0], name, value] });
    if (set("user.mine").errno === EOPNOTSUPP) return; // a file system without them
    assert.equal(
      guest
        .ask({ opcode: op.FUSE_GETXATTR, node, body: [[0, 0], "user.mine"] })
        .view.getUint32(0, true),
      5,
    );
    const got = guest.ask({ opcode: op.FUSE_GETXATTR, node, body: [[100, 0], "user.mine"] });
    assert.equal(Buffer.from(got.body).toString(), "value");
    const listed = guest.ask({ opcode: op.FUSE_LISTXATTR, node, body: [[100, 0]] });
    assert.equal(Buffer.from(listed.body).toString(), "user.mine\0");
    assert.equal(guest.ask({ opcode: op.FUSE_REMOVEXATTR, node, body: ["user.mine"] }).errno, 0);
    for (const name of ["trusted.x", "security.capability", "userx", ""]) {
      assert.equal(set(name).errno, EOPNOTSUPP);
    }
  });

  it("finds data and holes, allocates, syncs, and tells of its file system", () => {
    const node = guest.walk("data/file");
    const handle = guest.open(node, O_RDWR);
    assert.equal(
      guest.ask({ opcode: op.FUSE_FALLOCATE, node, body: [handle, 0, 65536, [0, 0]] }).errno,
      0,
    );
    assert.equal(statSync(inShare("file")).size, 65536);
    const found = guest.ask({ opcode: op.FUSE_LSEEK, node, body: [handle, 0, [4, 0]] });
    assert.ok(Number(found.view.getBigUint64(0, true)) >= 10);
    assert.equal(guest.ask({ opcode: op.FUSE_FSYNC, node, body: [handle, [1, 0]] }).errno, 0);
    assert.equal(guest.ask({ opcode: op.FUSE_SYNCFS, node, body: [0] }).errno, 0);
    for (const id of [1, node]) {
      const { view } = guest.ask({ opcode: op.FUSE_STATFS, node: id });
      assert.equal(view.getUint32(44, true), 255);
      assert.ok(view.getBigUint64(0, true) > 0n);
    }
  });

  it("has no operation that it does not know", () => {
    for (const opcode of [0, 7, 31, 41, 4096, 0xffffffff]) {
      assert.equal(guest.ask({ opcode }).errno, ENOSYS);
    }
  });

  it("forgets a node as often as it was looked up, and not before", () => {
    const node = guest.walk("data/file");
    guest.walk("data/file");
    guest.ask({ opcode: op.FUSE_FORGET, node, body: [1], room: 0 });
    assert.equal(guest.ask({ opcode: op.FUSE_GETATTR, node, body: [0, 0] }).errno, 0);
    guest.ask({ opcode: op.FUSE_BATCH_FORGET, node: 0, body: [[1, 0], node, 1], room: 0 });
    assert.equal(guest.ask({ opcode: op.FUSE_GETATTR, node, body: [0, 0] }).errno, ESTALE);
  });
});

describe("a share that is read-only", () => {
  it("refuses every change, by whatever road", () => {
    const node = guest.walk("fixed");
    const file = guest.walk("fixed/file");
    const writable = guest.walk("data");
    const data = Buffer.from("x");
    const attempts = [
      { opcode: op.FUSE_CREATE, node, body: [[O_RDWR, 0o644], [0, 0], "new"] },
      { opcode: op.FUSE_MKDIR, node, body: [[0o755, 0], "new"] },
      { opcode: op.FUSE_MKNOD, node, body: [[0o100644, 0], 0, "new"] },
      { opcode: op.FUSE_SYMLINK, node, body: ["new", "target"] },
      { opcode: op.FUSE_UNLINK, node, body: ["file"] },
      { opcode: op.FUSE_RMDIR, node, body: ["sub"] },
      { opcode: op.FUSE_RENAME, node, body: [writable, "file", "new"] },
      { opcode: op.FUSE_RENAME2, node: writable, body: [node, 0, "file", "new"] },
      { opcode: op.FUSE_LINK, node: writable, body: [file, "new"] },
      { opcode: op.FUSE_LINK, node, body: [guest.walk("data/file"), "new"] },
      { opcode: op.FUSE_OPEN, node: file, body: [[O_RDWR, 0]] },
      { opcode: op.FUSE_OPEN, node: file, body: [[0o1000, 0]] },
      { opcode: op.FUSE_SETATTR, node: file, body: [new Uint8Array(88)] },
      { opcode: op.FUSE_SETXATTR, node: file, body: [[1, 0], "user.x", data] },
      { opcode: op.FUSE_REMOVEXATTR, node: file, body: ["user.x"] },
    ] as const;
    for (const attempt of attempts)
      assert.equal(guest.ask(attempt).errno, EROFS, `${attempt.opcode}`);
    const handle = guest.open(file, 0);
    const write = { opcode: op.FUSE_WRITE, body: [handle, 0, [1, 0], 0, 0, data] } as const;
    assert.equal(guest.ask({ ...write, node: file }).errno, EROFS);
    assert.equal(guest.ask({ ...write, node: guest.walk("data/file") }).errno, EBADF);
    assert.deepEqual(readdirSync(join(folder, "share")).sort(), ["file", "sub"]);
    assert.equal(readFileSync(inShare("file"), "utf8"), "0123456789");
  });
});

describe("a hostile guest", () => {
  it("takes no set-user bit from a read-only file by its handle on another node", () => {
    const handle = BigInt(guest.open(guest.walk("fixed/file"), 0));
    execFileSync("chmod", ["4755", inShare("file")]);
    const body = new Uint8Array(88);
    const view = new DataView(body.buffer);
    view.setUint32(0, FATTR_SIZE | FATTR_FH | FATTR_KILL_SUIDGID, true);
    view.setBigUint64(8, handle, true);
    const node = guest.walk("data/file");
    assert.equal(guest.ask({ opcode: op.FUSE_SETATTR, node, body: [body] }).errno, EINVAL);
    assert.equal(statSync(inShare("file")).mode & 0o7777, 0o4755);
  });

  it("does not make a read-only file writable by listing its folder as another's", () => {
    const handle = guest.open(guest.walk("fixed"), 0, op.FUSE_OPENDIR);
    const body = [handle, 0, [4096, 0], 0, 0] as const;
    const { view, body: list } = guest.ask({
      opcode: op.FUSE_READDIRPLUS,
      node: guest.walk("data"),
      body,
    });
    const nodes: number[] = [];
    for (let at = 0; at < list.length; ) {
      nodes.push(view.getUint32(at, true));
      at += ENTRY + Math.ceil((24 + view.getUint32(at + ENTRY + 16, true)) / 8) * 8;
    }
    const known = nodes.filter((node) => node !== 0);
    assert.equal(known.length, 2);
    for (const node of known) {
      assert.equal(
        guest.ask({ opcode: op.FUSE_SETATTR, node, body: [new Uint8Array(88)] }).errno,
        EROFS,
      );
    }
  });

  it("cannot leave its folder by any name or link", () => {
    symlinkSync("../secret", inShare("link"));
    symlinkSync("..", inShare("up"));
    const node = guest.walk("data");
    for (const name of ["..", ".", "", "../secret", "sub/../../secret", "/etc/passwd", "a/"]) {
      assert.equal(guest.ask({ opcode: op.FUSE_LOOKUP, node, body: [name] }).errno, EINVAL, name);
    }
    const link = guest.walk("data/link");
    assert.equal(guest.ask({ opcode: op.FUSE_OPEN, node: link, body: [[0, 0]] }).errno, EACCES);
    const up = guest.walk("data/up");
    assert.notEqual(guest.ask({ opcode: op.FUSE_LOOKUP, node: up, body: ["secret"] }).errno, 0);
    assert.notEqual(
      guest.ask({ opcode: op.FUSE_CREATE, node: up, body: [[O_RDWR, 0o644], [0, 0], "x"] }).errno,
      0,
    );
    assert.equal(existsSync(join(folder, "x")), false);
  });

  it("cannot create through a link that lies at the name", () => {
    symlinkSync("../victim", inShare("link"));
    const node = guest.walk("data");
    const created = guest.ask({
      opcode: op.FUSE_CREATE,
      node,
      body: [[O_RDWR, 0o644], [0, 0], "link"],
    });
    assert.equal(created.errno, EACCES);
    assert.equal(existsSync(join(folder, "victim")), false);
  });

  it("stays beneath while the host's folders turn into links and back", () => {
    mkdirSync(join(folder, "outside"));
    writeFileSync(join(folder, "outside/secret"), "secret");
    for (let turn = 0; turn < 50; turn++) {
      const node = guest.walk("data/sub");
      rmSync(inShare("sub"), { recursive: true });
      symlinkSync("../outside", inShare("sub"));
      assert.notEqual(guest.ask({ opcode: op.FUSE_LOOKUP, node, body: ["secret"] }).errno, 0);
      const link = guest.walk("data/sub");
      assert.notEqual(guest.ask({ opcode: op.FUSE_LOOKUP, node: link, body: ["secret"] }).errno, 0);
      rmSync(inShare("sub"));
      mkdirSync(inShare("sub"));
    }
  });

  it("cannot reach what is moved out of its folder by a path, nor lose what it had", () => {
    const sub = guest.walk("data/sub");
    mkdirSync(join(folder, "outside"));
    renameSync(inShare("sub"), join(folder, "outside/sub"));
    assert.equal(guest.ask({ opcode: op.FUSE_LOOKUP, node: sub, body: [".."] }).errno, EINVAL);
    assert.equal(guest.ask({ opcode: op.FUSE_GETATTR, node: sub, body: [0, 0] }).errno, 0);
  });

  it("names nodes and open files that there are not", () => {
    for (const node of [0, 99, 2 ** 53]) {
      for (const opcode of [op.FUSE_GETATTR, op.FUSE_LOOKUP, op.FUSE_OPEN, op.FUSE_UNLINK]) {
        assert.equal(guest.ask({ opcode, node, body: ["0123456789abcdef"] }).errno, ESTALE);
      }
    }
    const node = guest.walk("data/file");
    for (const handle of [0, 1, 3, 2 ** 40]) {
      const read = guest.ask({ opcode: op.FUSE_READ, node, body: [handle, 0, [1, 0], 0, 0] });
      assert.equal(read.errno, EBADF);
    }
  });

  it("cannot have a pipe of the host opened", () => {
    execFileSync("mkfifo", [inShare("pipe")]);
    assert.equal(
      guest.ask({ opcode: op.FUSE_OPEN, node: guest.walk("data/pipe"), body: [[1, 0]] }).errno,
      EACCES,
    );
  });

  it("gets no more than it left room for", () => {
    const node = guest.walk("data/file");
    const handle = guest.open(node, 0);
    const read = guest.ask({
      opcode: op.FUSE_READ,
      node,
      body: [handle, 0, [0xffffffff, 0], 0, 0],
      room: 3,
    });
    assert.equal(read.body.length, 3);
    assert.throws(
      () => guest.ask({ opcode: op.FUSE_GETATTR, node, body: [0, 0], room: 8 }),
      RingError,
    );
    assert.throws(() => guest.send(new Uint8Array(39), 1000), RingError);
  });

  it("ends in an errno or a ring error whatever it sends, and touches nothing outside", () => {
    linkSync(inShare("file"), inShare("twin"));
    const opcode = fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...Object.values(op)) },
      { weight: 1, arbitrary: fc.nat(0xffffffff) },
    );
    const word = fc.oneof(
      fc.nat(8).map(BigInt),
      fc.constantFrom(0xffff_ffffn, 1n << 63n, (1n << 64n) - 1n, 1n << 53n),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    );
    const name = fc.constantFrom(
      "file",
      "sub",
      "..",
      "../secret",
      "a/b",
      "",
      "user.x",
      "data",
      "x\0y",
    );
    const part = fc.oneof(word, name, fc.uint8Array({ maxLength: 300 }));
    const request = fc.record({
      opcode,
      node: fc.oneof(fc.nat(8), fc.nat()),
      body: fc.array(part, { maxLength: 8 }),
      room: fc.constantFrom(0, 1, 128, 4096, 70_000),
    });
    const outside = () => [
      readdirSync(folder).sort(),
      readFileSync(join(folder, "secret"), "utf8"),
    ];
    const before = outside();
    fc.assert(
      fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
        guest.start();
        guest.walk("data/sub");
        for (const each of requests) {
          try {
            const { errno } = guest.ask(each);
            assert.ok(errno >= 0 && errno < 4096, `errno ${errno}`);
          } catch (error) {
            if (!(error instanceof RingError)) throw error;
          }
        }
        assert.deepEqual(outside(), before);
        mkdirSync(inShare("sub"), { recursive: true });
      }),
      { numRuns: 150 },
    );
  });
});
