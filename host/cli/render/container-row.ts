/** A container as a row of `ps` (docker/cli formatter container). */

import type { ContainerSummary } from "../../api/client/answers.ts";
import { humanDuration } from "./age.ts";
import { humanSize } from "./size.ts";

/** Longest command in a table, in characters. */
const MAX_COMMAND = 20;

export const CONTAINER_TITLES = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Labels: "LABELS",
  LocalVolumes: "LOCAL VOLUMES",
  Mounts: "MOUNTS",
  Networks: "NETWORKS",
} as const;

export const CONTAINER_TABLE =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

export function containerRow(
  summary: ContainerSummary,
  { whole, now }: { readonly whole: boolean; readonly now: number },
): Readonly<Record<string, unknown>> {
  const { Labels: labels, Mounts: mounts } = summary;
  return {
    Command: commandText(summary.Command, whole),
    CreatedAt: timeText(summary.Created),
    ID: whole ? summary.Id : summary.Id.slice(0, 12),
    Image: summary.Image,
    Label: (name: string) => (Object.hasOwn(labels, name) ? labels[name] : ""),
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
    LocalVolumes: String(mounts.filter(({ Type }) => Type === "volume").length),
    Mounts: mounts.map(({ Name: name, Source: source }) => name || source).join(","),
    Names: summary.Names.map((name) => name.replace(/^\//, "")).join(","),
    Networks: Object.keys(summary.NetworkSettings.Networks).join(","),
    Ports: portsText(summary.Ports),
    RunningFor: `${humanDuration(now - summary.Created * 1000)} ago`,
    Size: sizeText(summary),
    State: summary.State,
    Status: summary.Status,
  };
}

function commandText(text: string, whole: boolean): string {
  const shown = text.replace(/[^\x20-\x7e]/g, "?");
  return whole || shown.length <= MAX_COMMAND
    ? `"${shown}"`
    : `"${shown.slice(0, MAX_COMMAND - 1)}…"`;
}

/** `2024-05-06 07:08:09 +0000 UTC`; @param seconds since the epoch */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " +0000 UTC");
}

function sizeText({ SizeRw: writable, SizeRootFs: whole }: ContainerSummary): string {
  const own = humanSize(writable ?? 0);
  return whole === undefined || whole === 0 ? own : `${own} (virtual ${humanSize(whole)})`;
}

type Port = ContainerSummary["Ports"][number];

/** `0.0.0.0:8080->80/tcp`, the published ones after the others; runs of neighbours are one. */
export function portsText(ports: readonly Port[]): string {
  const sorted = ports.toSorted(
    (a, b) => compare(a.Type, b.Type) || a.PrivatePort - b.PrivatePort || compare(a.IP, b.IP),
  );
  const ranges: { first: Port; last: Port }[] = [];
  for (const port of sorted) {
    const range = ranges.find(({ last }) => isNext(last, port));
    if (range === undefined) ranges.push({ first: port, last: port });
    else range.last = port;
  }
  return ranges.map(({ first, last }) => rangeText(first, last)).join(", ");
}

function isNext(last: Port, port: Port): boolean {
  const step = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? a === b : b === a + 1;
  return (
    last.Type === port.Type &&
    last.IP === port.IP &&
    port.PrivatePort === last.PrivatePort + 1 &&
    step(last.PublicPort || undefined, port.PublicPort || undefined)
  );
}

function rangeText(first: Port, last: Port): string {
  const span = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
  const inside = `${span(first.PrivatePort, last.PrivatePort)}/${first.Type}`;
  if (!first.PublicPort) return inside;
  const host = first.IP.includes(":") ? `[${first.IP}]` : first.IP;
  return `${host}:${span(first.PublicPort, last.PublicPort ?? first.PublicPort)}->${inside}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
