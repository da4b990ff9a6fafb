/** Whom a process runs as: Docker's `user[:group]` resolved against the image's own accounts. */

import { type GroupEntry, MAX_ID, parseGroup, parseId, parsePasswd } from "./account-files.ts";
import { containerError } from "./errors.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** supplementary groups, the primary one first (CVE-2022-36109) */
  readonly groups: readonly number[];
  /** home folder of the account; `/` when the image has no such account */
  readonly home: string;
}

export interface UserRequest {
  /** `user`, `user:group` or nothing, names or numbers */
  readonly user: string;
  /** further groups, names or numbers */
  readonly additionalGroups: readonly string[];
  /** content of the image's /etc/passwd, empty when it has none */
  readonly passwd: string;
  /** content of the image's /etc/group, empty when it has none */
  readonly group: string;
}

/**
 * Resolves as runc does (libcontainer/user GetExecUser): all digits is a number, whether or not an account has it; the
 * first matching entry counts; without an explicit group the account's own groups are supplementary.
 *
 * @throws ContainerError `UNKNOWN_USER`
 */
export function resolveUser({ user, additionalGroups, passwd, group }: UserRequest): Identity {
  const [userName = "", ...rest] = user.split(":");
  const groupName = rest.join(":");
  const wantedUid = userName === "" ? 0 : numeric(userName);
  const account = find(parsePasswd(passwd), ({ uid, name }) =>
    wantedUid === undefined ? name === userName : uid === wantedUid,
  );
  const uid = account?.uid ?? wantedUid;
  if (uid === undefined)
    refuse(`unable to find user ${userName}: no matching entries in passwd file`);
  const gid = groupName === "" ? (account?.gid ?? 0) : resolveGroup(groupName, group);
  const own = groupName === "" && account !== undefined ? groupsOf(account.name, group) : [];
  const added = additionalGroups.map((name) => resolveGroup(name, group));
  return { uid, gid, groups: [...new Set([gid, ...own, ...added])], home: account?.home || "/" };
}

function resolveGroup(name: string, file: string): number {
  const number = numeric(name);
  if (number !== undefined) return number;
  const entry = find(parseGroup(file), (each) => each.name === name);
  return entry?.gid ?? refuse(`unable to find group ${name}: no matching entries in group file`);
}

function groupsOf(user: string, file: string): number[] {
  const member = (entry: GroupEntry): boolean => entry.members.includes(user);
  return [...parseGroup(file)].filter(member).map(({ gid }) => gid);
}

/** The number that `name` is, if it is one. */
function numeric(name: string): number | undefined {
  if (!/^-?\d+$/.test(name)) return undefined;
  return (
    parseId(name) ?? refuse(`uids and gids must be in range 0-${MAX_ID}: ${name.slice(0, 40)}`)
  );
}

function find<T>(entries: Iterable<T>, matches: (entry: T) => boolean): T | undefined {
  for (const entry of entries) if (matches(entry)) return entry;
  return undefined;
}

function refuse(message: string): never {
  throw containerError("UNKNOWN_USER", message);
}
