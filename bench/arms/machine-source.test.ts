import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sourceOf, splitVariant, variantName } from "./machine-source.ts";

const SPAWN = "dvm: [   127 ms] vm-spawn              7.7 ms\n";
const TEMPLATE = "dvm: machine: from template\n";

describe("sourceOf", () => {
  it("tells a boot, a clone and a machine that was kept ready apart", () => {
    assert.equal(sourceOf(SPAWN), "boot");
    assert.equal(sourceOf(SPAWN + TEMPLATE), "clone");
    assert.equal(sourceOf(TEMPLATE), "ready");
  });
});

describe("variantName", () => {
  it("is the arm's own where sources are not told apart, and can be taken apart again", () => {
    assert.equal(variantName("dvm-kvm", undefined), "dvm-kvm");
    const name = variantName("dvm-kvm", "ready");
    assert.deepEqual(splitVariant(name), { arm: "dvm-kvm", rest: ", kept ready" });
    assert.deepEqual(splitVariant("podman"), { arm: "podman", rest: "" });
  });
});
