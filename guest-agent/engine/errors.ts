/** What goes wrong while the agent is built. */

const HINTS = {
  AGENT_SOURCE: "check that apt can reach a Debian archive: the QuickJS source comes from there",
  AGENT_CHECKSUM: "the archive offers another version of QuickJS; empty the cache and try again",
  AGENT_TOOL: "install the tools: apt-get install musl-tools gcc xz-utils",
  AGENT_COMPILE: "the compiler's own words stand above",
} as const;

export type AgentBuildErrorCode = keyof typeof HINTS;

/** A message that is lower-case, holds the offending value and ends without a full stop; advice is in `hint`. */
export class AgentBuildError extends Error {
  override readonly name = "AgentBuildError";
  readonly code: AgentBuildErrorCode;
  readonly exitCode = 1;
  readonly hint: string;

  constructor(code: AgentBuildErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = HINTS[code];
  }
}
