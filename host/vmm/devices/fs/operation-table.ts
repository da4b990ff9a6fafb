/** The shape of every FUSE operation. */

import type { FuseMessage } from "./fuse-message.ts";
import type { SharedFiles } from "./shared-files.ts";

/**
 * Does what a request asks for; the length of the answer's body, or a negated errno, which a `SystemCallError` may
 * stand for too.
 */
export type Operation = (files: SharedFiles, message: FuseMessage) => number;

/** Operations by `fuse_opcode`. */
export type OperationTable = Readonly<Record<number, Operation>>;
