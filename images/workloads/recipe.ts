/**
 * What people keep on volumes, as Debian has it: git and PostgreSQL; what tries file systems and limits: fio and
 * stress-ng; and a folder of packages that apt-get can install from without a network.
 */

import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const workloads: ImageRecipe = {
  name: "workloads",
  purpose: "Debian with git, PostgreSQL, fio and stress-ng",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const variant = ["--variant=minbase", "--include=git,postgresql-15,fio,stress-ng"];
    // of PostgreSQL's packages the compiler for large queries is most
    const left = [
      "/usr/share/man/*",
      "/usr/share/locale/*",
      "/usr/share/doc/*",
      "/usr/lib/llvm-*",
      "/usr/lib/x86_64-linux-gnu/libLLVM*",
      "/usr/lib/postgresql/15/lib/bitcode/*",
    ];
    const smaller = left.map((path) => `--dpkgopt=path-exclude=${path}`);
    const download =
      'cd "$1/srv/packages" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -q download sqlite3 libsqlite3-0 libreadline8 readline-common';
    const packages = [
      '--customize-hook=mkdir -m 777 "$1/srv/packages"',
      `--customize-hook=${download}`,
      '--customize-hook=cd "$1/srv/packages" && dpkg-scanpackages . > Packages',
      '--customize-hook=chmod 755 "$1/srv/packages"',
    ];
    await run("mmdebstrap", "--quiet", ...variant, ...smaller, ...packages, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "config", "--image", `${layout}:latest`, "--config.cmd", "sh");
    await run("umoci", "gc", "--layout", layout);
  },
};
