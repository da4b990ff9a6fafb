import assert from "node:assert/strict";
import { test } from "node:test";
import { VmmError } from "./errors.ts";
import type { MachineExit } from "./hypervisor.ts";
import { StageClock, StageError, type StageFailure } from "./stage-clock.ts";
import { startFailure } from "./start-failure.ts";

const deadlines = { spawn: 60_000, configure: 60_000, boot: 60_000, agent: 60_000 };
const never = () => new Promise<never>(() => {});

test("a stage gives its result and is reported", async () => {
  const stages: string[] = [];
  const clock = new StageClock({ deadlines, onStage: (stage) => stages.push(stage) });
  assert.equal(await clock.run("spawn", async () => 7), 7);
  assert.deepEqual(stages, ["spawn"]);
});

test("a stage fails at its deadline", async () => {
  const clock = new StageClock({ deadlines: { ...deadlines, boot: 1 } });
  assert.deepEqual(await failureOf(clock.run("boot", never)), { kind: "timeout", milliseconds: 1 });
});

test("a stage fails when the machine ends", async () => {
  const clock = new StageClock({ deadlines });
  const exit: MachineExit = { reason: "reboot" };
  clock.watch(Promise.resolve(exit));
  assert.deepEqual(await failureOf(clock.run("boot", never)), { kind: "ended", exit });
});

test("a stage fails by an abort, and is not begun after one", async () => {
  const abort = new AbortController();
  const clock = new StageClock({ deadlines, signal: abort.signal });
  const failure = failureOf(clock.run("boot", never));
  abort.abort("why");
  assert.deepEqual(await failure, { kind: "aborted", cause: "why" });
  let begun = false;
  const later = clock.run("agent", async () => {
    begun = true;
  });
  assert.equal((await failureOf(later)).kind, "aborted");
  assert.equal(begun, false);
});

test("a failed start names machine, stage and console, and gives a hint", () => {
  const error = new StageError("boot", { kind: "timeout", milliseconds: 60_000 });
  const failure = startFailure({ error, id: "c1", accelerator: "tcg", consoleTail: () => "a\nb" });
  assert.equal(
    failure.message,
    "virtual machine c1 did not start (stage boot): the guest did not open the agent's port within 60 s; the guest's console ends with\n  | a\n  | b",
  );
  assert.equal(failure.stage, "boot");
  assert.match(failure.hint ?? "", /busy host/);
});

test("a backend's own error keeps its code and gains the stage", () => {
  const cause = new VmmError("VMM_QEMU_NOT_FOUND", "qemu is not on the PATH");
  const error = new StageError("spawn", { kind: "error", cause });
  const failure = startFailure({ error, id: "c1", accelerator: "tcg", consoleTail: () => "" });
  assert.equal(failure.code, "VMM_QEMU_NOT_FOUND");
  assert.equal(failure.message, "qemu is not on the PATH (stage spawn)");
  assert.equal(failure.hint, cause.hint);
});

async function failureOf(running: Promise<unknown>): Promise<StageFailure> {
  const error: unknown = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StageError);
  return error.failure;
}
