import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TokenBucket } from "./token-bucket.ts";

describe("a token bucket", () => {
  it("keeps its rate over time, however large the pieces", () => {
    const clock = { now: 0 };
    const bucket = new TokenBucket(8e6, () => clock.now);
    let sent = 0;
    while (clock.now < 10_000) {
      sent += 65_536;
      clock.now += bucket.take(65_536);
    }
    assert.ok(Math.abs(sent - 10e6) < 100_000, `${sent}`);
  });

  it("makes up for no more than a moment of silence", () => {
    const clock = { now: 0 };
    const bucket = new TokenBucket(8e6, () => clock.now);
    clock.now += 60_000;
    assert.equal(bucket.take(20_000), 0);
    assert.equal(bucket.take(1000), 1);
  });
});
