/** The text of `dvm version`. */

import type { VersionInfo } from "../../doctor/version-info.ts";

export function renderVersion(info: VersionInfo): string {
  const rows = [
    ["Version:", info.version],
    ["Node version:", info.node],
    ["Protocol:", String(info.protocol)],
    ["Guest kernel:", info.kernel ?? "not built"],
    ["QEMU:", info.qemu ?? "not found"],
    ["OS/Arch:", info.platform],
  ];
  return `dvm:\n${rows.map(([name = "", value = ""]) => ` ${name.padEnd(18)} ${value}\n`).join("")}`;
}
