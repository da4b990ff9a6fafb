/** Python and Node on a Debian base: two large programs with many files. */

import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const programs: ImageRecipe = {
  name: "programs",
  purpose: "Debian with Python and Node",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const variant = ["--variant=minbase", "--include=python3,nodejs"];
    const smaller = [
      "--dpkgopt=path-exclude=/usr/share/man/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
    ];
    await run("mmdebstrap", "--quiet", ...variant, ...smaller, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "config", "--image", `${layout}:latest`, "--config.cmd", "python3");
    await run("umoci", "gc", "--layout", layout);
  },
};
