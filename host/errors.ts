/** The shape of every refusal: a code to act on, one sentence to read, an exit code, and what to do about it. */

import { printableText } from "./printable-text.ts";

/** One row of a layer's error table. */
export interface ErrorRow {
  /** exit code of the process that ends with this error; 125 is Docker's "the engine failed" */
  readonly exitCode: number;
  /** advice for the user: what to do about it; lower-case, no full stop */
  readonly hint?: string;
}

/**
 * An error that a user may read as it is: lower-case, holds the offending value, ends without a full stop. That value
 * may come from a guest, an image or a registry: what a terminal would obey is spelled out.
 */
export class DvmError extends Error {
  override readonly name: string = "DvmError";
  /** stable name of the error, unique over all layers */
  readonly code: string;
  /** exit code of a process that ends with it */
  readonly exitCode: number;
  /** what to do about it */
  readonly hint: string | undefined;

  constructor(
    code: string,
    message: string,
    options: ErrorRow & { readonly cause?: unknown } = { exitCode: 125 },
  ) {
    super(
      printableText(message),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.exitCode = options.exitCode;
    this.hint = options.hint;
  }
}

/** What a call site may add to its row of the table. */
export interface ErrorDetails {
  /** advice that replaces the row's own */
  readonly hint?: string;
  /** the error underneath, chained once */
  readonly cause?: unknown;
}

/**
 * Makes a layer's error constructor from its table.
 *
 * @example
 * const imageError = errorTable({ IMAGE_NOT_FOUND: { exitCode: 125, hint: "check the name" } });
 * throw imageError("IMAGE_NOT_FOUND", `no such image: ${name}`);
 */
export function errorTable<Code extends string>(
  table: Record<Code, ErrorRow>,
): (code: Code, message: string, details?: ErrorDetails) => DvmError {
  return (code, message, details = {}) =>
    new DvmError(code, message, { ...table[code], ...details });
}
