/** Which version of the API a request speaks (moby api/server/middleware/version.go). */

import { apiError } from "../docker/errors.ts";
import { API_VERSION, MIN_API_VERSION } from "../docker/system-json.ts";

const PREFIX = /^\/v([0-9]+(?:\.[0-9]+)*)(?=\/)/;

/** Takes `/v1.41` off a path; a path without it speaks the newest version. */
export function splitVersion(path: string): { readonly version: string; readonly rest: string } {
  const match = PREFIX.exec(path);
  if (match === null) return { version: API_VERSION, rest: path };
  const [prefix, version = API_VERSION] = match;
  return { version, rest: path.slice(prefix.length) };
}

/** @throws DvmError `BAD_REQUEST` with Docker's words, which clients look for */
export function checkVersion(version: string): void {
  if (compareVersions(version, MIN_API_VERSION) < 0) {
    throw apiError(
      "BAD_REQUEST",
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (compareVersions(version, API_VERSION) > 0) {
    throw apiError(
      "BAD_REQUEST",
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
}

/** Negative, zero or positive, as for `sort`; parts that are missing are zeros. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
