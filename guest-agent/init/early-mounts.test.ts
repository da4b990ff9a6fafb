import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MS_MOVE } from "../linux/mount.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { earlyMounts, mountCgroups } from "./early-mounts.ts";

describe("earlyMounts", () => {
  it("moves to a tmpfs before it mounts the kernel's file systems", () => {
    const recording = new RecordingSyscalls();
    earlyMounts(recording.sys);
    const steps = recording
      .made("mount", "chroot", "chdir")
      .map(([call, first]) =>
        call === "mount" && typeof first === "object" && first !== null && "target" in first
          ? `mount ${first.target}`
          : `${call} ${first}`,
      );
    assert.deepEqual(steps, [
      "mount /new-root",
      "chdir /new-root",
      "mount /",
      "chroot .",
      "mount /proc",
      "mount /sys",
      "mount /dev",
    ]);
    assert.deepEqual(recording.made("mount")[1]?.[1], { source: ".", target: "/", flags: MS_MOVE });
  });

  it("takes a hierarchy that is mounted already for done", () => {
    const recording = new RecordingSyscalls().fail("mount", "EBUSY");
    mountCgroups(recording.sys);
    assert.equal(recording.made("mount").length, 1);
  });
});
