import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { Watchdog } from "./watchdog.ts";

function setUp(commandLine: string) {
  const recording = new RecordingSyscalls()
    .file("/proc/cmdline", commandLine)
    .file("/dev/watchdog", "");
  const clock = { now: 1_000_000 };
  const watchdog = new Watchdog(recording.sys, () => clock.now);
  recording.calls.length = 0;
  const names = () => recording.calls.splice(0).map(([name]) => name);
  return { clock, watchdog, names };
}

describe("Watchdog", () => {
  it("is left alone where the command line names none", () => {
    const { watchdog, names } = setUp("quiet");
    assert.equal(watchdog.tell(), undefined);
    watchdog.rest();
    assert.deepEqual(names(), []);
  });

  it("is started by being opened, and told every ten seconds", () => {
    const { clock, watchdog, names } = setUp("quiet ib700wdt.timeout=30");
    assert.equal(watchdog.tell(), 10_000);
    assert.deepEqual(names(), ["open"]);
    clock.now += 4000;
    assert.equal(watchdog.tell(), 6000);
    assert.deepEqual(names(), []);
    clock.now += 6000;
    assert.equal(watchdog.tell(), 10_000);
    assert.deepEqual(names(), ["write"]);
  });

  it("is told at once when the clock was set back", () => {
    const { clock, watchdog, names } = setUp("ib700wdt.timeout=30");
    watchdog.tell();
    clock.now -= 500_000;
    assert.equal(watchdog.tell(), 10_000);
    assert.deepEqual(names(), ["open", "write"]);
  });

  it("is stopped for long work, and started again after it", () => {
    const { watchdog, names } = setUp("ib700wdt.timeout=30");
    watchdog.tell();
    watchdog.rest();
    watchdog.tell();
    assert.deepEqual(names(), ["open", "write", "close", "open"]);
  });
});
