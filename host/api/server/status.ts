/** Which HTTP status and which words an error becomes. */

import { DvmError } from "../../errors.ts";

const STATUSES: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  BODY_TOO_LARGE: 413,
  NO_SUCH_PAGE: 404,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  STORE_UNUSABLE: 403,
  UNSUPPORTED: 501,
  CONFIG_INVALID: 400,
  NAME_TAKEN: 409,
  NO_SUCH_CONTAINER: 404,
  NO_SUCH_EXEC: 404,
  NO_SUCH_PATH: 404,
  NO_SUCH_SNAPSHOT: 404,
  SNAPSHOT_EXISTS: 409,
  WRONG_STATE: 409,
  NOT_SUPPORTED: 501,
  REFERENCE_INVALID: 400,
  IMAGE_NOT_FOUND: 404,
  IMAGE_AMBIGUOUS: 400,
  IMAGE_IN_USE: 409,
  PLATFORM_INVALID: 400,
  PLATFORM_UNAVAILABLE: 404,
  NETWORK_INVALID: 400,
  NETWORK_UNSUPPORTED: 501,
  NETWORK_PRIVILEGE: 403,
  NO_SUCH_NETWORK: 404,
  NETWORK_EXISTS: 409,
  NETWORK_IN_USE: 403,
  SUBNET_OVERLAP: 403,
  ADDRESS_IN_USE: 403,
  VOLUME_INVALID: 400,
  NO_SUCH_VOLUME: 404,
  VOLUME_IN_USE: 409,
  MOUNT_INVALID: 400,
  MOUNT_UNSUPPORTED: 501,
};

/** Codes whose messages Docker begins with a capital. */
const CAPITALISED: ReadonlySet<string> = new Set([
  "NO_SUCH_CONTAINER",
  "NO_SUCH_EXEC",
  "NAME_TAKEN",
  "IMAGE_NOT_FOUND",
]);

/** Exit codes of a command that cannot be run: the wish is at fault, not the daemon. */
const NOT_RUNNABLE: ReadonlySet<number> = new Set([126, 127]);

/** 500 for what nobody foresaw. */
export function statusOf(error: unknown): number {
  if (!(error instanceof DvmError)) return 500;
  return STATUSES[error.code] ?? (NOT_RUNNABLE.has(error.exitCode) ? 400 : 500);
}

/** Docker's body of a failure is its message; the rest is for our own client. */
export interface ErrorBody {
  readonly message: string;
  readonly code?: string;
  readonly exitCode?: number;
  readonly hint?: string;
}

export function errorBody(error: unknown): ErrorBody {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DvmError)) return { message };
  const { code, exitCode, hint } = error;
  const text = CAPITALISED.has(code)
    ? `${message.charAt(0).toUpperCase()}${message.slice(1)}`
    : message;
  return { message: text, code, exitCode, ...(hint === undefined ? {} : { hint }) };
}
