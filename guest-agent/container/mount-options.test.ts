import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_SLAVE,
} from "../linux/mount.ts";
import { parseMountOptions } from "./mount-options.ts";

test("flags, propagation and the file system's own options are told apart", () => {
  assert.deepEqual(parseMountOptions(["rbind", "ro", "rslave", "size=64m", "mode=1777"]), {
    flags: MS_BIND | MS_REC | MS_RDONLY,
    propagation: MS_SLAVE | MS_REC,
    data: "size=64m,mode=1777",
  });
});

test("of contradicting options the last counts", () => {
  const options = ["noexec", "nosuid", "nodev", "exec", "ro", "rw", "dev"];
  assert.equal(parseMountOptions(options).flags, MS_NOSUID);
  assert.equal(parseMountOptions(["exec", "noexec", "dev", "nodev"]).flags, MS_NOEXEC | MS_NODEV);
});

test("names of Object's own members are no flags", () => {
  assert.deepEqual(parseMountOptions(["constructor", "defaults", ""]), {
    flags: 0,
    propagation: 0,
    data: "constructor",
  });
});
