/** `top`: a container's processes as ps(1) would print them. */

import type { ProcessInfo } from "#protocol";
import { printableText } from "../../printable-text.ts";
import { engineError } from "../errors.ts";
import type { ProcessTable } from "./model.ts";

type Column = (info: ProcessInfo, bootedAt: number) => string;

const COLUMNS: Readonly<Record<string, { readonly title: string; readonly value: Column }>> = {
  uid: { title: "UID", value: ({ uid }) => (uid === 0 ? "root" : `${uid}`) },
  user: { title: "USER", value: ({ uid }) => (uid === 0 ? "root" : `${uid}`) },
  pid: { title: "PID", value: ({ pid }) => `${pid}` },
  ppid: { title: "PPID", value: ({ ppid }) => `${ppid}` },
  c: { title: "C", value: () => "0" },
  stime: { title: "STIME", value: ({ started }, bootedAt) => clock(bootedAt + started) },
  start: { title: "START", value: ({ started }, bootedAt) => clock(bootedAt + started) },
  tty: { title: "TTY", value: ({ terminal }) => terminal },
  tt: { title: "TT", value: ({ terminal }) => terminal },
  time: { title: "TIME", value: ({ cpu }) => duration(cpu) },
  cmd: { title: "CMD", value: ({ command }) => command },
  command: { title: "COMMAND", value: ({ command }) => command },
  args: { title: "COMMAND", value: ({ command }) => command },
  comm: { title: "COMMAND", value: ({ command }) => command.split(/[ /]/).at(0) ?? "" },
};

const FULL = ["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"];
const BSD = ["user", "pid", "tty", "start", "time", "command"];

/**
 * Knows `-ef` and its like, `aux`, and `-o` with single columns.
 *
 * @param bootedAt when the guest started, in `milliseconds` since the epoch
 * @throws DvmError `CONFIG_INVALID`
 */
export function processTable(
  processes: readonly ProcessInfo[],
  psArguments: readonly string[],
  bootedAt: number,
): ProcessTable {
  const columns = chosenColumns(psArguments).map((name) => {
    const column = COLUMNS[name];
    if (column === undefined) {
      throw engineError("CONFIG_INVALID", `unknown user-defined format specifier "${name}"`);
    }
    return column;
  });
  return {
    titles: columns.map(({ title }) => title),
    // names and arguments are the guest's own, and clients print them as they come
    rows: processes.map((info) =>
      columns.map(({ value }) => printableText(value(info, bootedAt)).replace(/[\t\n]/g, " ")),
    ),
  };
}

function chosenColumns(words: readonly string[]): readonly string[] {
  const text = words.join(" ").trim();
  const chosen = /(?:^|\s)-?(?:e|A|ax)?o\s*=?\s*(\S+)/.exec(text)?.[1];
  if (chosen !== undefined) return chosen.split(",").map((name) => name.toLowerCase());
  if (/^-?a?u?x?$/.test(text) && text.includes("u")) return BSD;
  return FULL;
}

function clock(time: number): string {
  return new Date(time).toTimeString().slice(0, 5);
}

function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}
