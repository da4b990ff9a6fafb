/** Whose a shared file is: unshare(1)'s arguments for the user namespace of its server. */

import { accessSync, constants, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";

/** A range of users or groups that belong to a user (subuid(5)). */
interface IdRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Root's servers need none: the numbers in the container are those of the host. For anyone else the container's root
 * is the user, and the users from 1 on are the user's subordinate ones, where there are any: else the container has
 * no users but its root in shared folders.
 */
export function idMapArguments(uid: number = process.getuid?.() ?? 0): string[] {
  if (uid === 0) return [];
  const users = subordinate("/etc/subuid", uid);
  const groups = subordinate("/etc/subgid", uid);
  const self = ["--user", "--map-root-user"];
  if (users === undefined || groups === undefined || !hasMapPrograms()) return self;
  return [...self, `--map-users=${range(users)}`, `--map-groups=${range(groups)}`];
}

/** The first range of a user in the text of subuid(5): `NAME-OR-NUMBER:FIRST:COUNT`. */
export function parseSubordinate(
  text: string,
  user: { readonly uid: number; readonly name: string },
): IdRange | undefined {
  for (const line of text.split("\n")) {
    const [owner, first, count] = line.trim().split(":");
    if (owner !== user.name && owner !== `${user.uid}`) continue;
    if (!/^\d+$/.test(first ?? "") || !/^[1-9]\d*$/.test(count ?? "")) continue;
    return { first: Number(first), count: Number(count) };
  }
  return undefined;
}

/** Outer number, inner number, count; the inner ones follow root's. */
function range({ first, count }: IdRange): string {
  return `${first},1,${count}`;
}

function subordinate(path: string, uid: number): IdRange | undefined {
  try {
    return parseSubordinate(readFileSync(path, "utf8"), { uid, name: userInfo().username });
  } catch {
    // no such file, or a user without a name
    return undefined;
  }
}

/** newuidmap(1) and newgidmap(1), which alone may hand subordinate numbers out. */
function hasMapPrograms(): boolean {
  return ["newuidmap", "newgidmap"].every((name) =>
    (process.env.PATH ?? "").split(delimiter).some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}
