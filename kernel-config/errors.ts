/** What the kernel build refuses, and the advice that goes with each refusal. */
import { errorTable } from "../host/errors.ts";

export const kernelError = errorTable({
  KERNEL_FRAGMENT_INVALID: {
    exitCode: 125,
    hint: "a fragment holds comments, CONFIG_X=value and '# CONFIG_X is not set'; each option follows its reason",
  },
  KERNEL_SOURCE_MISSING: {
    exitCode: 125,
    hint: "apt-get install linux-source, or name a source folder or tarball with --source",
  },
  KERNEL_TOOL_MISSING: { exitCode: 125 },
  KERNEL_DISK_FULL: {
    exitCode: 125,
    hint: "free some space, or put the cache elsewhere with XDG_CACHE_HOME",
  },
  KERNEL_OPTION_LOST: {
    exitCode: 125,
    hint: "mend the fragment, or state the difference of this kernel version in kernel-config/version-difference.ts",
  },
  KERNEL_BUILD_FAILED: { exitCode: 125 },
  KERNEL_NOT_PVH: {
    exitCode: 125,
    hint: "the kernel has no entry for a VMM: CONFIG_PVH must be on",
  },
  KERNEL_USAGE: {
    exitCode: 125,
    hint: "usage: node kernel-config/build.ts [--source DIR|TARBALL] [--out DIR] [--cache DIR]",
  },
});
