/** A Debian base of thousands of files, as mmdebstrap makes it: one layer. */

import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const debian: ImageRecipe = {
  name: "debian",
  purpose: "a Debian base of thousands of files",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const variant = ["--variant=minbase", "--include=attr,libcap2-bin,procps,vim-tiny"];
    const smaller = [
      "--dpkgopt=path-exclude=/usr/share/man/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
    ];
    await run("mmdebstrap", "--quiet", ...variant, ...smaller, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "config", "--image", `${layout}:latest`, "--config.cmd", "bash");
    await run("umoci", "gc", "--layout", layout);
  },
};
