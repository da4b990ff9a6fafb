/** The image of the benches: a Debian base with the field's own measuring tools, as their packages are. */

import { join } from "node:path";
import type { ImageRecipe } from "../../images/recipe.ts";

export const benchImage: ImageRecipe = {
  name: "bench",
  purpose: "a Debian base with sysbench, fio, iperf3 and stress-ng",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const variant = ["--variant=minbase", "--include=sysbench,fio,iperf3,stress-ng"];
    const smaller = ["man", "locale", "doc"].map(
      (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
    );
    await run("mmdebstrap", "--quiet", ...variant, ...smaller, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "config", "--image", `${layout}:latest`, "--config.cmd", "sh");
    await run("umoci", "gc", "--layout", layout);
  },
};
