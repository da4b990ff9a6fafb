/** What goes wrong between a container's specification and its first instruction, as the user will read it. */

/** Codes of the container layer and Docker's exit code for each. */
const EXIT_CODES = {
  /** the agent or its kernel could not do what the specification asks for */
  CONTAINER_SETUP: 125,
  /** the specification contradicts itself or names what there is not */
  CONTAINER_SPEC: 125,
  /** no container, or no process in it, of this name; or one too many */
  CONTAINER_STATE: 125,
  SECCOMP_PROFILE: 125,
  UNKNOWN_USER: 125,
  /** the command exists and cannot be run */
  COMMAND_NOT_EXECUTABLE: 126,
  COMMAND_NOT_FOUND: 127,
} as const;

export type ContainerErrorCode = keyof typeof EXIT_CODES;

/** Where a failed system call stood. */
export interface FailedStep {
  /** what was being done, such as `mount /proc` */
  readonly stage: string;
  /** positive error number */
  readonly errno: number;
  /** path that the call was about, empty when there is none */
  readonly path: string;
}

/** A failure with Docker's exit code. */
export class ContainerError extends Error {
  override readonly name = "ContainerError";
  readonly code: ContainerErrorCode;
  /** 125, 126 or 127 */
  readonly exitCode: number;
  readonly step: FailedStep | undefined;

  constructor(code: ContainerErrorCode, message: string, step?: FailedStep) {
    super(message);
    this.code = code;
    this.exitCode = EXIT_CODES[code];
    this.step = step;
  }
}

/** The error of `code`; `message` is lower-case, holds the offending value and ends without a full stop. */
export function containerError(
  code: ContainerErrorCode,
  message: string,
  step?: FailedStep,
): ContainerError {
  return new ContainerError(code, message, step);
}

/** Whether `code`, which came out of a pipe, is one of ours. */
export function isContainerErrorCode(code: unknown): code is ContainerErrorCode {
  return typeof code === "string" && Object.hasOwn(EXIT_CODES, code);
}
