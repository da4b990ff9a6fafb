/** What a side throws when its peer breaks the protocol. */

export type ProtocolErrorCode = "BAD_FRAME" | "BAD_MESSAGE" | "BAD_STREAM";

/** The peer sent something that the protocol forbids; the channel is of no further use. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
