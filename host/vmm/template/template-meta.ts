/** What is written down of a template, and the mark by which a large file is known to be untouched. */

import type { BigIntStats } from "node:fs";

/** A file as it was; the time of its inode's last change cannot be set, so whatever changes the file shows in it. */
export interface FileMark {
  readonly inode: string;
  /** in `bytes` */
  readonly size: string;
  /** in `nanoseconds` since the epoch */
  readonly changed: string;
}

export interface TemplateMeta {
  readonly memory: FileMark;
  /** SHA-256 of the machine's state, hexadecimal */
  readonly state: string;
  /** in `bytes` */
  readonly stateSize: number;
  /** `TemplateKey.shape` */
  readonly shape: string;
  /** in `milliseconds` since the epoch */
  readonly created: number;
  /** the machine, for people */
  readonly about: string;
}

export function markOf({ ino, size, ctimeNs }: BigIntStats): FileMark {
  return { inode: String(ino), size: String(size), changed: String(ctimeNs) };
}

export function sameMark(one: FileMark, other: FileMark): boolean {
  return one.inode === other.inode && one.size === other.size && one.changed === other.changed;
}

/** @returns nothing for a text that is no description */
export function readMeta(text: string): TemplateMeta | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMeta(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMeta(value: unknown): value is TemplateMeta {
  return (
    hasStrings(value, ["state", "shape", "about"]) &&
    hasNumbers(value, ["stateSize", "created"]) &&
    typeof value === "object" &&
    value !== null &&
    "memory" in value &&
    hasStrings(value.memory, ["inode", "size", "changed"])
  );
}

function hasStrings(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof field(value, name) === "string");
}

function hasNumbers(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => Number.isSafeInteger(field(value, name)));
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
