/** Where templates are kept, which are worked on without the daemon: where their daemon keeps them. */

import { accessSync, constants } from "node:fs";
import { apiError } from "../docker/errors.ts";
import { object, readBySchema, string } from "../docker/schema.ts";
import type { ConnectOptions } from "./start-daemon.ts";

const about = object({ DockerRootDir: string });

/**
 * The data root of the daemon that the user has named by `--host` or `DVM_HOST`.
 *
 * @returns nothing without such a daemon: then it is the usual one
 * @throws DvmError `DAEMON_UNREACHABLE`; `FORBIDDEN` for that of another user's daemon
 */
export async function storeRoot(options: ConnectOptions): Promise<string | undefined> {
  const { dataRoot, host, environment } = options;
  if (dataRoot !== undefined || !(host || environment.DVM_HOST)) return dataRoot;
  const { connectDaemon } = await import("./start-daemon.ts");
  using daemon = await connectDaemon(options);
  const root = readBySchema(about, await daemon.info()).DockerRootDir;
  try {
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const message = `templates of this daemon are kept in ${root}, which is not yours`;
    throw apiError("FORBIDDEN", message, {
      cause,
      hint: "ask its user, or use dvm with a daemon of your own",
    });
  }
  return root;
}
