/** The demo image: Debian's static busybox with all its applets, one layer of about 2 MB. */

import { execFileSync } from "node:child_process";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const busybox: ImageRecipe = {
  name: "busybox",
  purpose: "the demo image, made from busybox-static",
  bases: [],
  async build({ layout, scratch, run }) {
    const root = join(scratch, "root");
    const passwd = [
      "root:x:0:0:root:/root:/bin/sh",
      "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
      "nobody:x:65534:65534:nobody:/home:/bin/false",
    ];
    const group = ["root:x:0:", "daemon:x:1:", "tty:x:5:", "users:x:100:", "nobody:x:65534:"];
    for (const folder of ["bin", "etc", "home", "root", "tmp", "usr/bin", "var/tmp"]) {
      await mkdir(join(root, folder), { recursive: true });
    }
    await copyFile("/bin/busybox", join(root, "bin/busybox"));
    const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" })
      .trim()
      .split("\n");
    for (const applet of applets) {
      if (applet !== "busybox") await symlink("busybox", join(root, "bin", applet));
    }
    await writeFile(join(root, "etc/passwd"), `${passwd.join("\n")}\n`);
    await writeFile(join(root, "etc/group"), `${group.join("\n")}\n`);
    await run("chmod", "755", root, join(root, "bin/busybox"));
    await run("chmod", "700", join(root, "root"));
    await run("chmod", "1777", join(root, "tmp"), join(root, "var/tmp"));

    const layer = join(scratch, "layer.tar");
    const reproducible = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    await run("tar", ...reproducible, "-C", root, "-cf", layer, ".");
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run(
      "umoci",
      "config",
      "--image",
      `${layout}:latest`,
      "--config.cmd",
      "sh",
      "--architecture",
      "amd64",
      "--os",
      "linux",
    );
    await run("umoci", "gc", "--layout", layout);
  },
};
