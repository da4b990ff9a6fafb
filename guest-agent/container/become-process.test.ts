import assert from "node:assert/strict";
import { test } from "node:test";
import { S_IFREG } from "../linux/stat.ts";
import type { ProcessSpec } from "../protocol/container-spec.ts";
import { ProcessEnded, RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { becomeProcess } from "./become-process.ts";
import { planProcess } from "./process-plan.ts";
import { Filters } from "./seccomp/filters.ts";

const filters = new Filters([6, 1]);
const SPEC: ProcessSpec = {
  args: ["sh", "-c", "true"],
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
  stdio: {},
};

/** Plays the last steps of a process in a small image; returns what was called. */
function play(changes: Partial<ProcessSpec>, prepare = (_: RecordingSyscalls): void => {}) {
  const recording = new RecordingSyscalls()
    .file("/bin/sh", "", S_IFREG | 0o755)
    .file("/etc/passwd", "web:x:33:33::/home/web:\n");
  recording.on("capget", () => ({ effective: 0n, permitted: 0x1ffn, inheritable: 0n }));
  prepare(recording);
  const plan = planProcess({ ...SPEC, ...changes }, "host", filters);
  const stdio = { fds: [3, 4, 5], owned: [true, true, true], terminal: undefined } as const;
  const stages: string[] = [];
  assert.throws(
    () => becomeProcess(recording.sys, { plan, stdio }, (name) => stages.push(name)),
    (error) => error instanceof ProcessEnded || error instanceof Error,
  );
  return { recording, stages, order: recording.calls.map(([name]) => name) };
}

test("privileges go in an order that each step still has what it needs", () => {
  const { order } = play({ user: "web" });
  const steps = [
    "dup3",
    "setsid",
    "chdir",
    "setgroups",
    "setresgid",
    "setresuid",
    "seccomp",
    "execve",
  ] as const;
  const places = steps.map((step) => order.indexOf(step));
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
  assert.ok(!places.includes(-1));
  assert.ok(order.lastIndexOf("capset") > order.indexOf("seccomp"));
});

test("under no_new_privs the filter comes last, when nothing is left to give up", () => {
  const { order } = play({ noNewPrivileges: true });
  assert.ok(order.lastIndexOf("capset") < order.indexOf("seccomp"));
  assert.equal(order.indexOf("execve"), order.indexOf("seccomp") + 1);
});

test("a process that is privileged or unconfined has no filter", () => {
  assert.ok(!play({ privileged: true }).order.includes("seccomp"));
  assert.ok(!play({ seccomp: "unconfined" }).order.includes("seccomp"));
});

test("the user's identity, environment and command reach the kernel", () => {
  const { recording } = play({ user: "web", env: ["A=b"], args: ["sh", "x"] });
  assert.deepEqual(recording.made("setgroups", "setresgid", "setresuid"), [
    ["setgroups", [33]],
    ["setresgid", 33, 33, 33],
    ["setresuid", 33, 33, 33],
  ]);
  const [, path, argv, env] = recording.made("execve")[0] ?? [];
  assert.deepEqual([path, argv], ["/bin/sh", ["sh", "x"]]);
  assert.ok((env as string[]).includes("HOME=/home/web") && (env as string[]).includes("A=b"));
});

test("what no one may gain again is dropped from the bounding set while that is possible", () => {
  const { recording, order } = play({ capDrop: ["ALL"], user: "web" });
  assert.equal(recording.made("prctl").filter(([, option]) => option === 24).length, 41);
  assert.ok(order.lastIndexOf("setresuid") > order.indexOf("prctl"));
});

test("no signal stays blocked and no descriptor open across execve", () => {
  const { recording } = play({});
  assert.deepEqual(recording.made("sigprocmask", "close_range"), [
    ["close_range", 3, 0xffff_ffff, 4],
    ["sigprocmask", []],
  ]);
});

test("streams at 0 to 2 are moved away before those are replaced", () => {
  const recording = new RecordingSyscalls().file("/bin/sh", "", S_IFREG | 0o755);
  recording.on("fcntl", (fd) => fd + 100);
  const stdio = { fds: [1, 0, 9], owned: [false, false, false], terminal: undefined } as const;
  const plan = planProcess(SPEC, "host", filters);
  assert.throws(() => becomeProcess(recording.sys, { plan, stdio }, () => {}), ProcessEnded);
  assert.deepEqual(recording.made("dup3"), [
    ["dup3", 101, 0, 0],
    ["dup3", 100, 1, 0],
    ["dup3", 9, 2, 0],
  ]);
});

test("a working directory that is missing is made for the first process, and refused for a further one", () => {
  const missing = { cwd: "/new" };
  const prepare = (recording: RecordingSyscalls) =>
    void recording.folder("/.").fail("chdir", "ENOENT");
  assert.equal(play(missing, prepare).recording.made("mkdirat").length, 1);
  const recording = new RecordingSyscalls().fail("chdir", "ENOENT");
  const plan = planProcess({ ...SPEC, ...missing }, "host", filters);
  const stdio = { fds: [3, 4, 5], owned: [true, true, true], terminal: undefined } as const;
  assert.throws(() => becomeProcess(recording.sys, { plan, stdio, isFurther: true }, () => {}), {
    code: "COMMAND_NOT_EXECUTABLE",
    message: 'chdir to cwd ("/new") set in config.json failed: no such file or directory',
  });
  assert.deepEqual(recording.made("mkdirat"), []);
});

test("a failing step is the last that was named", () => {
  assert.equal(
    play({}, (recording) => recording.fail("setgroups", "EPERM")).stages.at(-1),
    "set credentials",
  );
  assert.equal(
    play({}, (recording) => recording.fail("dup3", "EBADF")).stages.at(-1),
    "connect standard streams",
  );
});

test("specifications that no process can have are refused before there is one", () => {
  const plan = (changes: Partial<ProcessSpec>) => () =>
    planProcess({ ...SPEC, ...changes }, "host", filters);
  assert.throws(plan({ args: [] }), /no command specified/);
  assert.throws(plan({ args: ["a\0b"] }), /NUL/);
  assert.throws(plan({ cwd: "relative" }), /needs to be an absolute path/);
  assert.throws(plan({ capAdd: ["X"] }), /unknown capability/);
  assert.throws(plan({ seccomp: "{}" }), { code: "SECCOMP_PROFILE" });
});
