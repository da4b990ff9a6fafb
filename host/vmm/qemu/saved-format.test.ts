import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkVersion, readFormat, savedFormat } from "./saved-format.ts";

const SAVED = { version: "7.2.22", memory: "backend" } as const;

describe("the format of a saved machine", () => {
  it("is read as it was written", () => {
    assert.deepEqual(readFormat(savedFormat(SAVED)), SAVED);
  });

  it("is refused when it is another's", () => {
    const others = ["", "{}", "null", "[]", savedFormat(SAVED).replace("backend", "other")];
    for (const text of [...others, savedFormat(SAVED).replace(":2,", ":1,")]) {
      assert.throws(() => readFormat(text), { code: "VMM_UNSUPPORTED" }, text);
    }
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.throws(() => readFormat(text), { code: "VMM_UNSUPPORTED" });
      }),
    );
  });

  it("belongs to one version of QEMU", () => {
    checkVersion(savedFormat(SAVED), "7.2.22");
    assert.throws(() => checkVersion(savedFormat(SAVED), "8.0.0"), /saved by QEMU 7.2.22/);
  });
});
