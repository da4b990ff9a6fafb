/** Parsers of an image's /etc/passwd and /etc/group, which anyone may have written. */

/** A line of /etc/passwd, passwd(5). */
export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A line of /etc/group, group(5). */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** longest account file that is looked at, in `bytes` */
export const MAX_ACCOUNT_FILE = 4 * 1024 * 1024;

/** largest uid and gid that Docker takes */
export const MAX_ID = 0x7fff_ffff;

/** The entries of /etc/passwd in order. Lines that are none are skipped: never is a bad number taken for 0, root. */
export function* parsePasswd(text: string): Generator<PasswdEntry> {
  for (const [name = "", , uid, gid, , home = ""] of fields(text)) {
    const entry = { name, uid: parseId(uid), gid: parseId(gid), home };
    if (entry.uid !== undefined && entry.gid !== undefined)
      yield { ...entry, uid: entry.uid, gid: entry.gid };
  }
}

/** The entries of /etc/group in order, as `parsePasswd`. */
export function* parseGroup(text: string): Generator<GroupEntry> {
  for (const [name = "", , id, members = ""] of fields(text)) {
    const gid = parseId(id);
    if (gid !== undefined) yield { name, gid, members: members === "" ? [] : members.split(",") };
  }
}

/** The number that `text` spells, if it is a uid or gid. */
export function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

function* fields(text: string): Generator<string[]> {
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (trimmed !== "" && !trimmed.startsWith("#")) yield trimmed.split(":");
  }
}
