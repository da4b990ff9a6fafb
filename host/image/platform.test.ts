import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  assertRunnable,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  selectPlatform,
} from "./platform.ts";

describe("platforms", () => {
  test("are written as Go writes them", () => {
    for (const [text, full] of [
      ["linux/amd64", "linux/amd64"],
      ["x86_64", "linux/amd64"],
      ["linux/arm64/v8", "linux/arm64"],
      ["linux/arm/v7", "linux/arm/v7"],
      ["LINUX/AARCH64", "linux/arm64"],
    ] as const)
      assert.equal(formatPlatform(parsePlatform(text)), full);
  });

  test("that are none are refused", () => {
    for (const text of ["", "/", "linux/", "linux/amd64/v1/x", "linux amd64", "../.."])
      assert.throws(() => parsePlatform(text), { code: "PLATFORM_INVALID" });
  });

  test("of other machines are refused in a sentence that names both", () => {
    const foreign = hostPlatform().architecture === "arm64" ? "linux/amd64" : "linux/arm64";
    assert.throws(
      () => assertRunnable(parsePlatform(foreign), "busybox"),
      new RegExp(`busybox is for ${foreign}, this machine runs linux/`),
    );
    assert.throws(() => assertRunnable(parsePlatform("windows/amd64"), "x"), {
      code: "PLATFORM_UNAVAILABLE",
    });
    assertRunnable(hostPlatform(), "x");
  });

  test("are selected by variant, then without one, then by architecture", () => {
    const all = ["linux/arm/v6", "linux/arm/v7", "linux/amd64"].map(parsePlatform);
    const pick = (text: string): string | undefined => {
      const found = selectPlatform(all, parsePlatform(text), (item) => item);
      return found && formatPlatform(found);
    };
    assert.equal(pick("linux/arm/v7"), "linux/arm/v7");
    assert.equal(pick("linux/arm"), "linux/arm/v6");
    assert.equal(pick("linux/arm/v5"), undefined);
    assert.equal(pick("linux/amd64"), "linux/amd64");
    assert.equal(pick("windows/amd64"), undefined);
  });
});
