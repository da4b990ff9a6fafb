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

export function cannotRewire(name: string): Error {
  return engineError(
    "NOT_SUPPORTED",
    `container ${name} is running: a running machine gets no other network cards`,
    { hint: "stop the container first, or name its networks when it is made" },
  );
}
