/** All that is served. Of two routes that fit a request the first one answers. */

import type { Route } from "./router.ts";
import { containerStateRoutes } from "./routes/container-state.ts";
import { containerStreamRoutes } from "./routes/container-streams.ts";
import { containerRoutes } from "./routes/containers.ts";
import { execRoutes } from "./routes/exec.ts";
import { fileRoutes } from "./routes/files.ts";
import { imageTransferRoutes } from "./routes/image-transfer.ts";
import { imageRoutes } from "./routes/images.ts";
import { loginRoutes } from "./routes/login.ts";
import { networkRoutes } from "./routes/networks.ts";
import { snapshotRoutes } from "./routes/snapshots.ts";
import { systemRoutes } from "./routes/system.ts";
import { unsupportedRoutes } from "./routes/unsupported.ts";
import { volumeRoutes } from "./routes/volumes.ts";
import { toldWorkRoutes } from "./told-work.ts";

export const apiRoutes: readonly Route[] = [
  ...systemRoutes,
  ...containerRoutes,
  ...containerStateRoutes,
  ...containerStreamRoutes,
  ...execRoutes,
  ...fileRoutes,
  ...imageRoutes,
  ...imageTransferRoutes,
  ...loginRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...snapshotRoutes,
  ...toldWorkRoutes,
  ...unsupportedRoutes,
];
