/** What can go wrong between host and guest agent. */

import type { Failure } from "#protocol";
import { DvmError, errorTable } from "../errors.ts";

export const agentError = errorTable({
  AGENT_LOST: {
    exitCode: 125,
    hint: "the guest's console log may say why: run again with --verbose",
  },
  AGENT_PROTOCOL: { exitCode: 125, hint: "stop and start the container" },
  AGENT_VERSION: {
    exitCode: 125,
    hint: "its machine is of another version of dvm: stop and start the container; if that is no help, run 'npm run setup'",
  },
  AGENT_TIMEOUT: { exitCode: 125, hint: "the machine may be overloaded: try again" },
});

/** Most characters of a guest's refusal that are kept. */
const MAX_TEXT = 4096;

/** Advice by the codes of the guest's container layer (guest-agent/container/errors.ts). */
const HINTS: ReadonlyMap<string, string> = new Map([
  ["CONTAINER_SPEC", "check what the flags ask for: dvm run --help"],
  ["COMMAND_NOT_FOUND", "check the spelling, and that the image has the command"],
  [
    "COMMAND_NOT_EXECUTABLE",
    "name a program that the container's user may execute and that is made for this machine",
  ],
  [
    "UNKNOWN_USER",
    "name a user of the image's /etc/passwd and a group of its /etc/group, or numbers",
  ],
  ["SECCOMP_PROFILE", "write the profile as Docker's: an object with defaultAction and syscalls"],
]);

/** What a guest refused, in its own words. */
export function guestRefusal({ code, message, exitCode }: Failure): DvmError {
  const hint = HINTS.get(code);
  return new DvmError(code, message.slice(0, MAX_TEXT), { exitCode, ...(hint ? { hint } : {}) });
}
