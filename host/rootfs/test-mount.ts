/** For tests: mounts an EROFS image on this machine, where its kernel and the user's rights allow that. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why images cannot be mounted here; false if they can. */
export function whyNoMount(): string | false {
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (!readFileSync("/proc/filesystems", "latin1").includes("\terofs\n"))
    return "this kernel has no erofs";
  return existsSync("/dev/loop-control") ? false : "this machine has no loop devices";
}

/** A mounted image; disposing of it unmounts it. */
export class MountedImage implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "dvm-mount-"));

  constructor(image: string) {
    try {
      execFileSync("mount", ["-t", "erofs", "-o", "loop,ro", image, this.path], { stdio: "pipe" });
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    execFileSync("umount", [this.path]);
    rmdirSync(this.path);
  }
}
