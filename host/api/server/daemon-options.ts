/** The words of dvmd's command line. */

import { parseArgs } from "node:util";
import { apiError } from "../docker/errors.ts";

export interface DaemonOptions {
  readonly host: string | undefined;
  readonly dataRoot: string | undefined;
  /** whether other users may connect, each to containers of its own */
  readonly shared: boolean;
  readonly debug: boolean;
  /** absent: standard error */
  readonly logFile: string | undefined;
}

export const DAEMON_HELP = `Usage:  dvmd [OPTIONS]

The daemon of dvm: serves Docker's Engine API on a socket.

Options:
      --data-root string   Folder of images and containers, in place of the usual one
  -D, --debug              Log every request
      --help               Print usage
  -H, --host string        Socket to serve, as unix://PATH
      --log-file string    Where to log to, in place of standard error
      --shared             Let every user of this machine connect; each sees its own containers only
  -v, --version            Print version information and quit
`;

/** @returns what to do, or what is only to be printed @throws DvmError `BAD_REQUEST` */
export function parseDaemonOptions(words: readonly string[]): DaemonOptions | "help" | "version" {
  const values = parse(words);
  if (values.help === true) return "help";
  if (values.version === true) return "version";
  return {
    host: values.host,
    dataRoot: values["data-root"],
    shared: values.shared === true,
    debug: values.debug === true,
    logFile: values["log-file"],
  };
}

function parse(words: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        host: { type: "string", short: "H" },
        "data-root": { type: "string" },
        debug: { type: "boolean", short: "D" },
        shared: { type: "boolean" },
        "log-file": { type: "string" },
        help: { type: "boolean" },
        version: { type: "boolean", short: "v" },
      },
    });
    return values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw apiError("BAD_REQUEST", message.charAt(0).toLowerCase() + message.slice(1));
  }
}
