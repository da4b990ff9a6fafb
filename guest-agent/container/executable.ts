/** Finds the program that a command names, in the container, with Docker's words for what is wrong. */

import { S_IFDIR, S_IFMT, S_IFREG } from "../linux/stat.ts";
import { isSyscallError, type Stat, type Syscalls } from "../syscalls/syscalls.ts";
import { type ContainerError, containerError } from "./errors.ts";
import type { Identity } from "./user.ts";

export interface ExecutableRequest {
  /** first word of the command */
  readonly command: string;
  /** environment as `NAME=value` */
  readonly env: readonly string[];
  /** who will run it */
  readonly identity: Pick<Identity, "uid" | "gid" | "groups">;
}

/**
 * Path of the program; called in the container's root and working directory.
 *
 * @throws ContainerError `COMMAND_NOT_FOUND` (127) or `COMMAND_NOT_EXECUTABLE` (126)
 */
export function findExecutable(sys: Pick<Syscalls, "stat">, request: ExecutableRequest): string {
  const { command, env, identity } = request;
  if (command === "")
    throw containerError("COMMAND_NOT_FOUND", 'exec: "": executable file not found in $PATH');
  if (command.includes("/")) {
    const reason = whyNot(sys, command, identity);
    if (reason === undefined) return command;
    throw refusal(command, reason);
  }
  const path = env.find((each) => each.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  for (const folder of path.split(":")) {
    // As in Go's exec.LookPath, a relative folder in PATH is no place to find programs in.
    if (!folder.startsWith("/")) continue;
    const candidate = `${folder}/${command}`;
    if (whyNot(sys, candidate, identity) === undefined) return candidate;
  }
  throw containerError(
    "COMMAND_NOT_FOUND",
    `exec: "${command}": executable file not found in $PATH`,
  );
}

/** What execve(2) of a program that was found means to the user. */
export function executionError(path: string, code: string): ContainerError {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return containerError("COMMAND_NOT_FOUND", `exec ${path}: no such file or directory`);
    case "EACCES":
    case "EPERM":
      return containerError("COMMAND_NOT_EXECUTABLE", `exec ${path}: permission denied`);
    case "ENOEXEC":
      return containerError("COMMAND_NOT_EXECUTABLE", `exec ${path}: exec format error`);
    case "E2BIG":
      return containerError("COMMAND_NOT_EXECUTABLE", `exec ${path}: argument list too long`);
    default:
      return containerError("COMMAND_NOT_EXECUTABLE", `exec ${path}: ${code}`);
  }
}

/** Name of the error that running `path` would meet; `undefined` when it may be run. */
function whyNot(
  sys: Pick<Syscalls, "stat">,
  path: string,
  identity: ExecutableRequest["identity"],
): string | undefined {
  let found: Stat;
  try {
    found = sys.stat(path);
  } catch (error) {
    if (isSyscallError(error)) return error.code;
    throw error;
  }
  const type = found.mode & S_IFMT;
  if (type === S_IFDIR) return "EISDIR";
  if (type !== S_IFREG) return "EACCES";
  return mayExecute(found, identity) ? undefined : "EACCES";
}

function mayExecute({ mode, uid, gid }: Stat, identity: ExecutableRequest["identity"]): boolean {
  if (identity.uid === 0) return (mode & 0o111) !== 0;
  if (identity.uid === uid) return (mode & 0o100) !== 0;
  if (identity.gid === gid || identity.groups.includes(gid)) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

function refusal(command: string, code: string): ContainerError {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return containerError(
        "COMMAND_NOT_FOUND",
        `exec: "${command}": stat ${command}: no such file or directory`,
      );
    case "EISDIR":
      return containerError("COMMAND_NOT_EXECUTABLE", `exec: "${command}": is a directory`);
    case "EACCES":
      return containerError("COMMAND_NOT_EXECUTABLE", `exec: "${command}": permission denied`);
    default:
      return containerError("COMMAND_NOT_EXECUTABLE", `exec: "${command}": ${code}`);
  }
}
