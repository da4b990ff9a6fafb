/** A Debian with compilers, Java and Python, about 300 MB compressed: what the benches of image conversion read. */

import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const debianLarge: ImageRecipe = {
  name: "debian-large",
  purpose: "a Debian of about 300 MB compressed, for the benches",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const include =
      "--include=build-essential,clang,python3-dev,git,default-jre-headless,nodejs,perl-doc";
    await run("mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "gc", "--layout", layout);
  },
};
