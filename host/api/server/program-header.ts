/** How dvm and its daemon speak of the daemon's age. */

/** Header by which dvm asks how old the daemon's program is (`ask`), or has it make way if it is old (`renew`). */
export const PROGRAM_HEADER = "dvm-program";

/** `old`: others are connected, so it stays; `renewing`: a new one takes its place now. */
export type ProgramState = "current" | "old" | "renewing";
