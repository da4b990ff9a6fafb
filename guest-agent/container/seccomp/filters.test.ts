import assert from "node:assert/strict";
import { test } from "node:test";
import { boundingSet } from "../capabilities.ts";
import { compileProfile } from "./compile-profile.ts";
import { defaultFilter } from "./default-filter.ts";
import { defaultProfile } from "./default-profile.ts";
import { Filters } from "./filters.ts";

const usual = boundingSet({ add: [], drop: [], privileged: false });
const words = (program: Uint8Array): string =>
  [...new Uint32Array(program.buffer)].map((word) => `0x${word.toString(16)}`).join(", ");

test("the filter compiled ahead is what the compiler makes of the default profile", () => {
  const compiled = compileProfile(defaultProfile(), { capabilities: usual, kernel: [6, 1] });
  assert.equal(
    words(defaultFilter()),
    words(compiled),
    `default-filter.ts should hold: ${words(compiled)}`,
  );
});

test("the default profile asks for no particular kernel, so that one filter serves all", () => {
  for (const { includes, excludes } of defaultProfile().rules) {
    assert.deepEqual([includes?.minKernel, excludes?.minKernel], [undefined, undefined]);
  }
});

test("a filter is compiled once for the same profile and capabilities", () => {
  const filters = new Filters([6, 1]);
  const more = new Set([...usual, "CAP_SYS_ADMIN"]);
  assert.equal(filters.get("default", usual), filters.get("default", usual));
  assert.equal(filters.get("default", more), filters.get("default", more));
  assert.notDeepEqual(
    filters.get("default", more)?.program,
    filters.get("default", usual)?.program,
  );
});

test("there is no filter for unconfined, and a bad profile is refused", () => {
  const filters = new Filters([6, 1]);
  assert.equal(filters.get("unconfined", usual), undefined);
  assert.throws(() => filters.get("nonsense", usual), { code: "SECCOMP_PROFILE" });
});
