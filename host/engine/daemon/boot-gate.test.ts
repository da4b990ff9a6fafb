import assert from "node:assert/strict";
import { test } from "node:test";
import { BootGate } from "./boot-gate.ts";

function work() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const job = {
    started: false,
    resolve,
    run: () => {
      job.started = true;
      return promise;
    },
  };
  return job;
}

/** All that was promised and needs nothing else has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("lets so many in at a time, the others in their turn", async () => {
  const gate = new BootGate(2);
  const jobs = [work(), work(), work(), work()];
  const results = jobs.map((job) => gate.run(job.run));
  await settled();
  assert.deepEqual(
    jobs.map(({ started }) => started),
    [true, true, false, false],
  );
  jobs[1]?.resolve("b");
  assert.equal(await results[1], "b");
  await settled();
  assert.deepEqual(
    jobs.map(({ started }) => started),
    [true, true, true, false],
  );
  for (const job of jobs) job.resolve("x");
  assert.deepEqual(await Promise.all(results), ["x", "b", "x", "x"]);
});

test("a failure gives its slot back", async () => {
  const gate = new BootGate(1);
  await assert.rejects(
    gate.run(() => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await gate.run(async () => "yes"), "yes");
});

test("one that gives up while it waits does not start, and keeps nobody's slot", async () => {
  const gate = new BootGate(1);
  const [first, second, third] = [work(), work(), work()];
  const abort = new AbortController();
  const one = gate.run(first.run);
  const two = gate.run(second.run, abort.signal);
  const three = gate.run(third.run);
  abort.abort(new Error("given up"));
  await assert.rejects(two, /given up/);
  first.resolve("1");
  third.resolve("3");
  assert.deepEqual(await Promise.all([one, three]), ["1", "3"]);
  assert.equal(second.started, false);
});
