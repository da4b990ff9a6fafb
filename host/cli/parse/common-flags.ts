/** Flags that many commands share, and the count of their arguments. */

import { parseDetachKeys } from "../../api/docker/detach-keys.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, listFlag, valueFlag } from "./flag-set.ts";
import { parseFilter } from "./image-flags.ts";
import { parseInteger } from "./integer.ts";
import { parseSignal } from "./signal-name.ts";

export const helpFlag = { help: booleanFlag({ help: "Print usage" }) } as const;

const text = (help: string, short?: string) =>
  valueFlag({ placeholder: "string", help, parse: asText, ...(short ? { short } : {}) });

/** --format of commands that show rows. */
export const rowsFormatFlag = {
  format: text(
    "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'",
  ),
} as const;

/** --format of commands that show objects. */
export const objectFormatFlag = {
  format: text("Format output using a custom template: 'json' or 'TEMPLATE'", "f"),
} as const;

/** --filter, which has `-f` unless the command means something else by that. */
export const filterFlagOf = (help: string, short?: string) => ({
  filter: listFlag({
    placeholder: "filter",
    help,
    parse: parseFilter,
    ...(short ? { short } : {}),
  }),
});

export const signalFlag = {
  signal: valueFlag({
    short: "s",
    placeholder: "string",
    help: "Signal to send to the container",
    parse: (value) => {
      parseSignal(value);
      return value;
    },
  }),
} as const;

export const timeoutFlag = {
  timeout: valueFlag({
    short: "t",
    placeholder: "int",
    help: "Seconds to wait before killing the container",
    parse: parseInteger,
  }),
  // as it was called before
  time: valueFlag({ placeholder: "int", help: "", parse: parseInteger, hidden: true }),
} as const;

export const detachKeysFlag = {
  "detach-keys": valueFlag({
    placeholder: "string",
    help: "Override the key sequence for detaching a container",
    parse: (value) => {
      if (value !== "") parseDetachKeys(value);
      return value;
    },
  }),
} as const;

export const forceFlag = {
  force: booleanFlag({ short: "f", help: "Do not prompt for confirmation" }),
} as const;

/** @throws DvmError `ARGUMENTS` with Docker's words */
export function checkCount(
  args: readonly string[],
  command: string,
  { least = 0, most = least }: { readonly least?: number; readonly most?: number },
): void {
  if (args.length >= least && args.length <= most) return;
  throw cliError("ARGUMENTS", `'dvm ${command}' ${wanted(least, most)}`);
}

function wanted(least: number, most: number): string {
  const counted = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  if (most === 0) return "accepts no arguments";
  if (least === most) return `requires ${counted(least)}`;
  if (most === Number.POSITIVE_INFINITY) return `requires at least ${counted(least)}`;
  if (least === 0) return `requires at most ${counted(most)}`;
  return `requires at least ${least} and at most ${counted(most)}`;
}
