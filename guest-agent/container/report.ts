/** How a child that becomes a container's process tells its parent why it could not: a message over a pipe. */

import { O_CLOEXEC } from "../linux/fcntl.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { ContainerError, containerError, type FailedStep, isContainerErrorCode } from "./errors.ts";
import { readToEnd, writeAll } from "./file-access.ts";
import { decodeText, encodeText } from "./text.ts";

/** longest report, in `bytes`: it fits a pipe, so that the child never waits for its reader */
const MAX_REPORT = 16 * 1024;

/** longest message in a report, in characters */
const MAX_MESSAGE = 2048;

/** Tells which step comes next, for the error that may come of it. */
export type Stage = (name: string) => void;

/** The two ends of a report; a successful execve(2) closes the writer and so ends it empty. */
export function openReport(sys: Syscalls): { readonly reader: Fd; readonly writer: Fd } {
  return sys.pipe2(O_CLOEXEC);
}

/**
 * Runs `steps`, which end in execve(2) or an exit, and reports what stops them.
 *
 * @param steps is given a function that names the step that comes next
 */
export function reportFailure(sys: Syscalls, writer: Fd, steps: (stage: Stage) => never): never {
  let stage = "start";
  let failure: ContainerError;
  try {
    return steps((name) => {
      stage = name;
    });
  } catch (error) {
    failure = asContainerError(error, stage);
  }
  const { code, exitCode, step } = failure;
  const message = failure.message.slice(0, MAX_MESSAGE);
  try {
    writeAll(sys, writer, encodeText(JSON.stringify({ code, message, step })));
  } finally {
    // Whatever happens, the child must not carry on as a second agent.
    sys.exit(exitCode);
  }
}

/** What a report says; `undefined` when the child became what it should. Waits for the report's end. */
export function readReport(sys: Syscalls, reader: Fd): ContainerError | undefined {
  const text = decodeText(readToEnd(sys, reader, { limit: MAX_REPORT, subject: "report" }));
  if (text === "") return undefined;
  const report: unknown = JSON.parse(text);
  if (typeof report === "object" && report !== null && "code" in report && "message" in report) {
    const { code, message } = report;
    const step = "step" in report ? asStep(report.step) : undefined;
    if (isContainerErrorCode(code) && typeof message === "string")
      return containerError(code, message, step);
  }
  return containerError(
    "CONTAINER_SETUP",
    `unreadable report of a container's process: ${text.slice(0, 80)}`,
  );
}

/** Any failure as one with an exit code; a failed system call names the step that it was part of. */
export function asContainerError(error: unknown, stage: string): ContainerError {
  if (error instanceof ContainerError) return error;
  if (isSyscallError(error)) {
    const { errno, subject } = error;
    return containerError("CONTAINER_SETUP", `${stage}: ${error.message}`, {
      stage,
      errno,
      path: subject,
    });
  }
  return containerError(
    "CONTAINER_SETUP",
    `${stage}: ${error instanceof Error ? error.message : String(error)}`,
  );
}

function asStep(value: unknown): FailedStep | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { stage, errno, path } = value as Partial<Record<keyof FailedStep, unknown>>;
  if (typeof stage !== "string" || typeof errno !== "number" || typeof path !== "string")
    return undefined;
  return { stage, errno, path };
}
