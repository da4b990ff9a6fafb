/** Network servers as Debian packages have them, and the tools to ask them with. */

import { join } from "node:path";
import type { ImageRecipe } from "../recipe.ts";

export const servers: ImageRecipe = {
  name: "servers",
  purpose: "Debian with nginx, Redis and iperf3",
  bases: [],
  async build({ layout, scratch, run }) {
    const layer = join(scratch, "layer.tar");
    const packages = "nginx-light,redis-server,iperf3,iproute2,iputils-ping,curl,perl-base";
    const variant = ["--variant=minbase", `--include=${packages}`];
    const smaller = [
      "--dpkgopt=path-exclude=/usr/share/man/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      "--dpkgopt=path-exclude=/usr/share/doc/*",
    ];
    await run("mmdebstrap", "--quiet", ...variant, ...smaller, "bookworm", layer);
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:latest`);
    await run("umoci", "raw", "add-layer", "--image", `${layout}:latest`, layer);
    await run("umoci", "config", "--image", `${layout}:latest`, "--config.cmd", "sh");
    await run("umoci", "gc", "--layout", layout);
  },
};
