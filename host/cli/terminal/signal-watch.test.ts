import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { watchSignals } from "./signal-watch.ts";

/** Lets `script` raise signals, and notes what became of them. */
function watched(
  script: (raise: (name: NodeJS.Signals) => void, watch: ReturnType<typeof watchSignals>) => void,
): string[] {
  const seen: string[] = [];
  using watch = watchSignals({
    interrupt: (code) => seen.push(`interrupt ${code}`),
    force: (code) => seen.push(`force ${code}`),
    forward: (signal) => seen.push(`forward ${signal}`),
    giveUp: (code) => seen.push(`give up ${code}`),
  });
  script((name) => process.emit(name, name), watch);
  return seen;
}

const PROXY = { proxy: true, onTerminal: false };

describe("signals to dvm", () => {
  it("interrupt the start; a second one forces", () => {
    const seen = watched((raise) => {
      raise("SIGINT");
      raise("SIGTERM");
    });
    assert.deepEqual(seen, ["interrupt 130", "force 143"]);
  });

  it("are the container's once it runs, until the third that asks for an end", () => {
    const seen = watched((raise, watch) => {
      watch.containerRuns(PROXY);
      for (const name of ["SIGUSR1", "SIGTERM", "SIGINT", "SIGTERM"] as const) raise(name);
    });
    assert.deepEqual(seen, ["forward 10", "forward 15", "forward 2", "give up 143"]);
  });

  it("that came while it was on its way reach it, unless they asked for an end", () => {
    const seen = watched((raise, watch) => {
      for (const name of ["SIGALRM", "SIGUSR1"] as const) raise(name);
      watch.containerRuns(PROXY);
    });
    assert.deepEqual(seen, ["forward 14", "forward 10"]);
  });

  it("end the container without --sig-proxy", () => {
    const seen = watched((raise, watch) => {
      watch.containerRuns({ ...PROXY, proxy: false });
      raise("SIGUSR1");
      raise("SIGINT");
    });
    assert.deepEqual(seen, ["give up 130"]);
  });

  it("end a container whose terminal is gone", () => {
    const seen = watched((raise, watch) => {
      watch.containerRuns({ ...PROXY, onTerminal: true });
      raise("SIGHUP");
    });
    assert.deepEqual(seen, ["give up 129"]);
  });

  it("are dvm's again after the container's end", () => {
    const seen = watched((raise, watch) => {
      watch.containerRuns(PROXY);
      watch.containerEnded();
      raise("SIGINT");
    });
    assert.deepEqual(seen, ["interrupt 130"]);
  });
});
