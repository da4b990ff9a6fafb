/** The text of `dvm version`. */

import type { VersionInfo } from "../../doctor/version-info.ts";

/** What a daemon says of itself. */
export interface ServerVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly KernelVersion: string;
}

/** @param server absent: no daemon runs */
export function renderVersion(info: VersionInfo, server?: ServerVersion): string {
  const rows = [
    ["Version:", info.version],
    ["Node version:", info.node],
    ["Protocol:", String(info.protocol)],
    ["Guest kernel:", info.kernel ?? "not built"],
    ["QEMU:", info.qemu ?? "not found"],
    ["OS/Arch:", info.platform],
  ];
  const served = [
    ["Version:", server?.Version ?? "none runs"],
    ["API version:", server?.ApiVersion],
    ["Host kernel:", server?.KernelVersion],
  ];
  return `dvm:\n${lines(rows)}\nServer:\n${lines(served)}`;
}

function lines(rows: readonly (readonly (string | undefined)[])[]): string {
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([name = "", value = ""]) => ` ${name.padEnd(18)} ${value}\n`)
    .join("");
}
