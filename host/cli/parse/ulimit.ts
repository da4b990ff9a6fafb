/** --ulimit NAME=SOFT[:HARD], as docker/go-units ParseUlimit takes it. */

import { parseInteger } from "./integer.ts";

/** Names of Docker's ulimits: those of setrlimit(2) without `RLIMIT_`, in lower case. */
const NAMES: ReadonlySet<string> = new Set([
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
]);

export interface Ulimit {
  readonly name: string;
  /** -1 is no limit */
  readonly soft: number;
  /** -1 is no limit */
  readonly hard: number;
}

/** @throws Error with Docker's words */
export function parseUlimit(text: string): Ulimit {
  const equals = text.indexOf("=");
  if (equals < 0) throw new Error(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  if (!NAMES.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  const limits = text.slice(equals + 1).split(":");
  if (limits.length > 2) {
    throw new Error(
      `too many limit value arguments - ${text.slice(equals + 1)}, can only have up to two, \`soft[:hard]\``,
    );
  }
  const soft = parseInteger(limits[0] ?? "");
  const hard = limits[1] === undefined ? soft : parseInteger(limits[1]);
  if (hard !== -1) {
    if (soft === -1)
      throw new Error(
        `ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`,
      );
    if (soft > hard)
      throw new Error(
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
  }
  return { name, soft, hard };
}
