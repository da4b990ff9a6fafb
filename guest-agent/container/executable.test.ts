import assert from "node:assert/strict";
import { test } from "node:test";
import { S_IFCHR, S_IFDIR, S_IFREG } from "../linux/stat.ts";
import { type Stat, SyscallError } from "../syscalls/syscalls.ts";
import { executionError, findExecutable } from "./executable.ts";

const file = (mode: number, uid = 0, gid = 0): Stat => {
  return { dev: 1, ino: 1, mode, nlink: 1, uid, gid, rdev: 0, size: 1, mtime: 0, ctime: 0 };
};
const tree = new Map<string, Stat>([
  ["/bin/sh", file(S_IFREG | 0o755)],
  ["/usr/bin/sh", file(S_IFREG | 0o644)],
  ["/etc", file(S_IFDIR | 0o755)],
  ["/usr/bin/folder", file(S_IFDIR | 0o755)],
  ["/bin/plain", file(S_IFREG | 0o644)],
  ["/bin/null", file(S_IFCHR | 0o777)],
  ["/bin/mine", file(S_IFREG | 0o700, 5)],
  ["/bin/ours", file(S_IFREG | 0o710, 0, 7)],
  ["./local", file(S_IFREG | 0o755)],
]);
const sys = {
  stat(path: string): Stat {
    return tree.get(path) ?? fail(path);
  },
};
function fail(path: string): never {
  throw new SyscallError(
    "stat",
    path === "/secret/x" ? 13 : 2,
    path === "/secret/x" ? "EACCES" : "ENOENT",
    path,
  );
}
const root = { uid: 0, gid: 0, groups: [0] };
const find = (command: string, PATH = "/usr/bin:/bin", identity = root) =>
  findExecutable(sys, { command, env: ["A=b", `PATH=${PATH}`], identity });

test("a bare name is the first program in PATH that may be run", () => {
  assert.equal(find("sh"), "/bin/sh");
});

test("a name with a slash is taken as it stands", () => {
  assert.equal(find("/bin/sh"), "/bin/sh");
  assert.equal(find("./local"), "./local");
});

test("relative folders in PATH are passed over", () => {
  assert.throws(() => find("local", ".::bin"), { exitCode: 127 });
});

test("what is not in PATH is 127 in Docker's words", () => {
  for (const name of ["foo", "plain", "folder", "null"]) {
    assert.throws(() => find(name), {
      code: "COMMAND_NOT_FOUND",
      exitCode: 127,
      message: `exec: "${name}": executable file not found in $PATH`,
    });
  }
  assert.throws(() => find(""), { exitCode: 127 });
  assert.throws(() => findExecutable(sys, { command: "sh", env: [], identity: root }), {
    exitCode: 127,
  });
});

test("a path that is not there is 127, a folder or a plain file 126", () => {
  assert.throws(() => find("/nope"), {
    exitCode: 127,
    message: 'exec: "/nope": stat /nope: no such file or directory',
  });
  assert.throws(() => find("/etc"), { exitCode: 126, message: 'exec: "/etc": is a directory' });
  assert.throws(() => find("/bin/plain"), {
    exitCode: 126,
    message: 'exec: "/bin/plain": permission denied',
  });
  assert.throws(() => find("/secret/x"), {
    exitCode: 126,
    message: 'exec: "/secret/x": permission denied',
  });
});

test("the permission that counts is the user's own", () => {
  assert.equal(find("mine", "/bin", { uid: 5, gid: 1, groups: [] }), "/bin/mine");
  assert.throws(() => find("mine", "/bin", { uid: 6, gid: 0, groups: [0] }), { exitCode: 127 });
  assert.equal(find("ours", "/bin", { uid: 6, gid: 1, groups: [1, 7] }), "/bin/ours");
});

test("a failing execve has the exit code that a shell would give", () => {
  assert.equal(executionError("/x", "ENOENT").exitCode, 127);
  assert.equal(executionError("/x", "EACCES").exitCode, 126);
  assert.equal(executionError("/x", "ENOEXEC").message, "exec /x: exec format error");
});
