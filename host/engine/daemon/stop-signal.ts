/** The signal that asks a container to end: its own, its image's, or SIGTERM. */

import { constants } from "node:os";
import type { ContainerRecord } from "../container-record.ts";

const SIGTERM = 15;
/** The first and the last of the real-time signals as the C library counts them (signal(7)). */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

export function stopSignal({ config, image }: ContainerRecord): number {
  return parseSignal(config.stopSignal ?? image.run.stopSignal ?? "") ?? SIGTERM;
}

/** `SIGTERM`, `TERM`, `15`, `RTMIN+3`; undefined for what is no signal, for an image may say anything. */
function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-]\d{1,2}))?$/.exec(name);
  if (realTime === null) {
    return new Map<string, number>(Object.entries(constants.signals)).get(`SIG${name}`);
  }
  const number = (realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(realTime[2] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
