/** Environment variables: --env NAME[=VALUE] and --env-file, as docker/cli opts has them; and --label-file, which is alike. */

import { readFileSync } from "node:fs";
import { cliError } from "../errors.ts";
import { fileError } from "./file-error.ts";
import { parseLabel } from "./key-values.ts";

/** `NAME=VALUE` as it is, or `NAME` for a variable of dvm's own environment. @throws Error with Docker's words */
export function parseEnvironmentVariable(text: string): string {
  if (text === "" || text.startsWith("=")) throw new Error(`invalid environment variable: ${text}`);
  return text;
}

/**
 * Gives the variables that were named without a value the value they have here; one that is not set here is
 * handed on by its name alone, which unsets it.
 */
export function inheritValues(
  variables: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  return variables.map((variable) => {
    if (variable.includes("=")) return variable;
    const value = environment[variable];
    return value === undefined ? variable : `${variable}=${value}`;
  });
}

/** Reads a file of variables. @throws DvmError `FLAG_FILE` */
export function readEnvironmentFile(path: string): string[] {
  return readLines(path, "env file");
}

/** Reads a file of labels, `NAME=VALUE` or `NAME` a line. @throws DvmError `FLAG_FILE` */
export function readLabelFile(path: string): (readonly [string, string])[] {
  return readLines(path, "label file").map(parseLabel);
}

function readLines(path: string, what: string): string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
  try {
    return parseEnvironmentFile(bytes);
  } catch (error) {
    throw cliError("FLAG_FILE", `invalid ${what} (${path}): ${(error as Error).message}`);
  }
}

/**
 * The variables of an env file: a line each, blank lines and those that start with `#` left out, leading blanks
 * cut, the value taken as it stands (no quotes).
 *
 * @throws Error with Docker's words
 */
export function parseEnvironmentFile(bytes: Uint8Array): string[] {
  const variables: string[] = [];
  const lines = decodeUtf8(bytes)
    .replace(/^\ufeff/, "")
    .split("\n");
  for (const raw of lines) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    const name = equals < 0 ? line.trimEnd() : line.slice(0, equals);
    if (name === "") throw new Error(`no variable name on line '${line}'`);
    if (/\s/.test(name)) throw new Error(`variable '${name}' contains whitespaces`);
    variables.push(equals < 0 ? name : line);
  }
  return variables;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error("invalid utf8 bytes");
  }
}
