/** Ports of the host that the kernel keeps from users other than root: a daemon of root's keeps them from its users too. */

import { readFileSync } from "node:fs";
import type { PortRequest } from "../../network/port-mapping.ts";
import { engineError } from "../errors.ts";

/** Where the kernel is not asked, and by its default (ip_unprivileged_port_start, kernel Documentation/networking/ip-sysctl.rst). */
const FIRST_OPEN_PORT = 1024;

/** @throws DvmError `CONFIG_INVALID` for a port that the user could not take without us */
export function checkPortRights(
  ports: readonly Pick<PortRequest, "hostPorts">[],
  uid: number,
  firstOpen: number = firstOpenPort(),
): void {
  for (const { hostPorts: [lowest] = [firstOpen] } of ports) {
    // 0 stands for any
    if (lowest === 0 || !isForRoot(lowest, uid, firstOpen)) continue;
    throw engineError("CONFIG_INVALID", `port ${lowest} of the host is for root alone`, {
      hint: `take one from ${firstOpen} on`,
    });
  }
}

/** Whether the user could not take the port without us. */
export function isForRoot(port: number, uid: number, firstOpen: number = firstOpenPort()): boolean {
  return uid !== 0 && port < firstOpen;
}

function firstOpenPort(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  } catch {
    // a kernel before 4.11
    return FIRST_OPEN_PORT;
  }
}
