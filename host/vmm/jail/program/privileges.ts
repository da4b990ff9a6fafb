/** Capabilities and what exec could give, all given up. */

import { _LINUX_CAPABILITY_VERSION_3, CAP_DATA, CAP_HEADER } from "#linux/capability";
import { ERRNO } from "#linux/errno";
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
} from "#linux/prctl";
import { attempt, CallFailure, call } from "../../../sys/quickjs/calls.ts";

/** Root's programs get at exec what the bounding set has, so that is emptied; a user without rights gets nothing. */
export function dropCapabilities(): void {
  for (let capability = 0; ; capability++) {
    const result = attempt("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (result === -ERRNO.EINVAL) break; // there are no more
    if (result === -ERRNO.EPERM) break; // not for this process to decide
    if (result < 0) throw new CallFailure("prctl PR_CAPBSET_DROP", -result);
  }
  call("PR_CAP_AMBIENT", "prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const header = new DataView(new ArrayBuffer(CAP_HEADER.size));
  header.setUint32(CAP_HEADER.fields.version.offset, _LINUX_CAPABILITY_VERSION_3, true);
  call("to none", "capset", header, new Uint8Array(CAP_DATA.size * 2));
}

export function setNoNewPrivileges(): void {
  call("PR_SET_NO_NEW_PRIVS", "prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
