import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withDeadline } from "./deadline.ts";

const options = { what: "a step", milliseconds: 60_000 };

describe("a step with a deadline", () => {
  it("hands on what it gives, and its failure", async () => {
    assert.equal(await withDeadline(Promise.resolve(7), options), 7);
    await assert.rejects(withDeadline(Promise.reject(new Error("own")), options), /own/);
  });

  it("is given up on when it takes too long", async () => {
    const never = new Promise<void>(() => {});
    const late = withDeadline(never, { ...options, milliseconds: 1 });
    await assert.rejects(late, { code: "STAGE_TIMEOUT" });
  });

  // a rejection without a handler would end the process, and this test with it
  it("may fail unheard once nobody waits for it", async () => {
    const work = Promise.withResolvers<void>();
    const signal = AbortSignal.abort(new Error("given up"));
    await assert.rejects(withDeadline(work.promise, { ...options, signal }), /given up/);
    work.reject(new Error("unheard"));
    await new Promise(setImmediate);
  });
});
