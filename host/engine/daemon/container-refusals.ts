/** What a container refuses in the state that it is in, in Docker's words. */

import type { ContainerRecord } from "../container-record.ts";
import { engineError } from "../errors.ts";

export function notRunning(id: string): Error {
  return engineError("WRONG_STATE", `container ${id} is not running`);
}

export function beingRemoved(id: string): Error {
  return engineError("WRONG_STATE", `removal of container ${id} is already in progress`);
}

export function markedForRemoval(id: string): Error {
  return engineError("WRONG_STATE", `container ${id} is marked for removal`);
}

export function stillRuns({ name, state: { status } }: ContainerRecord): Error {
  const advice = status === "paused" ? "unpause and then stop" : "stop";
  return engineError(
    "WRONG_STATE",
    `cannot remove container "${name}": container is ${status}: ${advice} the container before removing or force remove`,
  );
}

/** Docker's word for one that has another's network. */
export function sharesNetwork(): Error {
  return engineError(
    "NOT_SUPPORTED",
    "container sharing network namespace with another container cannot be connected to any other network",
    { hint: "connect the container whose network it is" },
  );
}
