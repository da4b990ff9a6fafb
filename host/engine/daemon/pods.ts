/** Containers that share a machine: whose it is, and who else is in it. */

import type { AgentClient } from "../../agent/agent-client.ts";
import type { ContainerRecord } from "../container-record.ts";
import { engineError } from "../errors.ts";
import { joinsOf } from "../pods/joins.ts";
import type { SharedMachine } from "./shared-machine.ts";

/** A container as far as others meet it in a machine. */
export interface PodMember {
  readonly id: string;
  readonly record: ContainerRecord;
  /** the machine that it runs in; absent: it does not run */
  readonly machine: SharedMachine | undefined;
  /** settles when it is known what an earlier daemon has left of it */
  readonly recovered: Promise<void>;
  /** settles when no start or end of it is under way */
  settled(): Promise<void>;
  /** Goes on with its streams if it runs in the machine of `owner`, whose guest is about to be spoken to. */
  reopen(owner: string, client: AgentClient): void;
  /** Ends it, for the machine that it runs in is about to end. */
  endWithMachine(): Promise<void>;
}

/** All containers of a daemon. */
export interface PodMembers {
  get(id: string): PodMember | undefined;
  values(): Iterable<PodMember>;
}

/** Docker's words for each kind of what cannot be joined. */
const KINDS = { network: "network", pid: "PID", ipc: "IPC" } as const;

/**
 * The machine that the container is to run in.
 *
 * @returns nothing when it has one of its own
 * @throws DvmError `NO_SUCH_CONTAINER`, `WRONG_STATE`, `NOT_SUPPORTED`
 */
export async function findMachine(
  { id, config }: ContainerRecord,
  members: PodMembers,
): Promise<SharedMachine | undefined> {
  const joins = Object.entries(joinsOf(config));
  const machines = await Promise.all(
    joins.map(([kind, other]) => machineOf(kind as keyof typeof KINDS, { id, other }, members)),
  );
  const [machine] = machines;
  if (machines.some((each) => each?.owner !== machine?.owner)) {
    throw engineError("NOT_SUPPORTED", `container ${id} would be in two machines at once`, {
      hint: "namespaces of containers that run in one machine can be joined together",
    });
  }
  return machine;
}

async function machineOf(
  kind: keyof typeof KINDS,
  { id, other }: { readonly id: string; readonly other: string },
  members: PodMembers,
): Promise<SharedMachine> {
  if (other === id) throw engineError("CONFIG_INVALID", `cannot join own ${KINDS[kind]}`);
  const member = members.get(other);
  if (member === undefined) {
    throw engineError("NO_SUCH_CONTAINER", `no such container: ${other}`);
  }
  await member.recovered;
  await member.settled();
  if (member.record.state.status === "restarting") {
    const wait = "wait until the container is running";
    throw engineError("WRONG_STATE", `container ${other} is restarting, ${wait}`);
  }
  const { machine } = member;
  if (machine === undefined) {
    const what = `cannot join ${KINDS[kind]} of a non running container: ${other}`;
    throw engineError("WRONG_STATE", what);
  }
  if (kind === "ipc" && member.record.config.ipcMode === undefined) {
    throw engineError(
      "CONFIG_INVALID",
      "non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
    );
  }
  return machine;
}

/** The host name of a container with another one's network is that one's (moby daemon initializeNetworking). */
export function hostnameDonor(record: ContainerRecord, members: PodMembers): ContainerRecord {
  const seen = new Set<string>();
  let donor = record;
  for (;;) {
    const { network } = joinsOf(donor.config);
    const next = network === undefined || seen.has(network) ? undefined : members.get(network);
    if (network === undefined || next === undefined) return donor;
    seen.add(network);
    donor = next.record;
  }
}

/** Ends those that run in the machine of `owner` beside it. */
export async function endJoined(owner: string, members: PodMembers): Promise<void> {
  const joined = [...members.values()].filter(
    ({ id, machine }) => id !== owner && machine?.owner === owner,
  );
  await Promise.all(joined.map(endOnce));
}

/** Ends that are under way. */
const endings = new WeakMap<PodMember, Promise<void>>();

/** The stop of the owner asks for it, and the end of the owner again. */
function endOnce(member: PodMember): Promise<void> {
  const known = endings.get(member);
  if (known !== undefined) return known;
  const ending = member.endWithMachine().finally(() => endings.delete(member));
  endings.set(member, ending);
  return ending;
}
