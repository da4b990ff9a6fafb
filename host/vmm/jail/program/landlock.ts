/** Landlock: the same entries once more, as rules that hold where namespaces cannot be had (linux/landlock.h). */

import { ERRNO } from "#linux/errno";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "#linux/fcntl";
import { attempt, CallFailure, call } from "../../../sys/quickjs/calls.ts";
import type { JailAccess, JailEntry } from "../settings.ts";

const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

/** The accesses to files that each version of the interface knows: as many low bits. */
const FILE_ACCESS_BITS = [0, 13, 14, 15, 15, 16];
/** _BIND_TCP and _CONNECT_TCP, from version 4 on */
const NETWORK_ACCESS = 0b11n;
/** _ABSTRACT_UNIX_SOCKET and _SIGNAL, from version 6 on */
const SCOPES = 0b11n;

/** _EXECUTE, _READ_FILE and _READ_DIR */
const READING = 0b1101n;
/** _WRITE_FILE, _READ_FILE and _IOCTL_DEV */
const DEVICE = 0b1000_0000_0000_0110n;
/** what can be done to a file that is no folder: _EXECUTE, _WRITE_FILE, _READ_FILE, _TRUNCATE and _IOCTL_DEV */
const FILE = 0b1100_0000_0000_0111n;

/** struct landlock_ruleset_attr by version: handled_access_fs, handled_access_net, scoped; in `bytes` */
const RULESET_SIZE = (version: number) => (version >= 6 ? 24 : version >= 4 ? 16 : 8);

/** From now on nothing but the entries can be opened, and no process outside be signalled. Nothing on an older kernel. */
export function restrictFiles(entries: readonly JailEntry[]): void {
  const version = attempt("landlock_create_ruleset", null, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return;
  const bits = FILE_ACCESS_BITS[version] ?? FILE_ACCESS_BITS.at(-1) ?? 0;
  const all = (1n << BigInt(bits)) - 1n;
  const attributes = new DataView(new ArrayBuffer(24));
  attributes.setBigUint64(0, all, true);
  attributes.setBigUint64(8, NETWORK_ACCESS, true);
  attributes.setBigUint64(16, SCOPES, true);
  const size = RULESET_SIZE(version);
  const ruleset = call("of all accesses", "landlock_create_ruleset", attributes, size, 0);
  const rights: Readonly<Record<JailAccess, bigint>> = {
    read: READING,
    write: all,
    device: DEVICE,
    inherited: READING,
  };
  for (const { path, access } of [...entries, { path: "/proc/self", access: "write" } as const]) {
    addRule(ruleset, path, rights[access] & all);
  }
  call("", "landlock_restrict_self", ruleset, 0);
  attempt("close", ruleset);
}

function addRule(ruleset: number, path: string, rights: bigint): void {
  const folder = attempt("openat", AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 && folder !== -ERRNO.ENOTDIR) throw new CallFailure(`openat ${path}`, -folder);
  const fd = folder >= 0 ? folder : call(path, "openat", AT_FDCWD, path, O_PATH | O_CLOEXEC);
  // struct landlock_path_beneath_attr, packed: allowed_access, parent_fd
  const rule = new DataView(new ArrayBuffer(12));
  rule.setBigUint64(0, folder >= 0 ? rights : rights & FILE, true);
  rule.setInt32(8, fd, true);
  call(path, "landlock_add_rule", ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0);
  attempt("close", fd);
}
