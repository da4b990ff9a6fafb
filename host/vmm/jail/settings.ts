/** What the host tells the jail, as JSON in its first argument. */

/**
 * What the program may do with a file, or with all beneath a folder; `inherited` is a file behind a descriptor that it
 * inherits, named by its path in /proc, to be opened once more for reading.
 */
export type JailAccess = "read" | "write" | "device" | "inherited";

export interface JailEntry {
  /** absolute; the program finds it under the same name */
  readonly path: string;
  readonly access: JailAccess;
}

export interface JailSettings {
  /** process that has to live: the program is killed at its death; absent: the program outlives it */
  readonly parent?: number;
  /** all that the program sees; none lies beneath a `write` folder that is named too */
  readonly entries: readonly JailEntry[];
  /** program with its arguments; its path is absolute */
  readonly command: readonly [string, ...string[]];
  /** its environment, as `NAME=value` */
  readonly environment: readonly string[];
}
