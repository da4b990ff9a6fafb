/** A container's record in memory and on disk, and its disks. */

import { readFileSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Extent } from "../../rootfs/extent.ts";
import type { ContainerExit } from "../container-exit.ts";
import type { ContainerRecord, ContainerState } from "../container-record.ts";
import type { ContainerStore } from "../container-store.ts";
import { containerDisk, diskUsage } from "../storage/container-disk.ts";
import type { ContainerSizes, DaemonContainerConfig } from "./model.ts";

export class KeptContainer {
  readonly #store: ContainerStore;
  readonly #onFailure: (text: string) => void;
  #record: ContainerRecord;
  #removed = false;

  constructor(
    record: ContainerRecord,
    store: ContainerStore,
    /** the record could not be written */
    onFailure: (text: string) => void,
  ) {
    this.#record = record;
    this.#store = store;
    this.#onFailure = onFailure;
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get config(): DaemonContainerConfig {
    return this.#record.config;
  }

  get isRemoved(): boolean {
    return this.#removed;
  }

  setState(state: Partial<ContainerState>): void {
    this.update({ state: { ...this.#record.state, ...state } });
  }

  /** A full disk does not end a container; what is known counts until it can be written. */
  update(change: Partial<ContainerRecord>): void {
    this.#record = { ...this.#record, ...change };
    if (this.#removed) return;
    try {
      this.#store.write(this.#record);
    } catch (error) {
      this.#onFailure(`keeping its state: ${(error as Error).message}`);
    }
  }

  /** A process of it runs. */
  started(startedAt: string): void {
    const { exitCode: _, finishedAt: __, error: ___, ...state } = this.#record.state;
    this.update({ state: { ...state, status: "running", startedAt, oomKilled: false } });
  }

  ended(exit: ContainerExit, status: "restarting" | "exited"): void {
    const { error: _, ...state } = this.#record.state;
    const { exitCode, oomKilled, error } = exit;
    const finishedAt = new Date().toISOString();
    const how = { finishedAt, exitCode, oomKilled, ...(error === undefined ? {} : { error }) };
    this.update({ state: { ...state, status, ...how } });
  }

  get lastExit(): ContainerExit {
    const { exitCode = 0, oomKilled, error } = this.#record.state;
    return { exitCode, oomKilled, ...(error === undefined ? {} : { error }) };
  }

  remove(): void {
    this.#store.remove(this.#record.id);
    this.#removed = true;
  }

  /** The image's disk as it was at the creation. */
  keepRootDisk(extents: readonly Extent[]): void {
    writeFileSync(this.#rootDiskPath, JSON.stringify(extents), { mode: 0o600 });
  }

  /** Written by this engine alone. */
  rootDisk(): Extent[] {
    return JSON.parse(readFileSync(this.#rootDiskPath, "utf8"));
  }

  get writableDisk(): string | undefined {
    return containerDisk(this.#folder, this.config);
  }

  /** Has a copy of another disk of this container in place of its own. */
  async replaceDisk(from: string): Promise<void> {
    const disk = this.writableDisk;
    if (disk === undefined) throw new TypeError("a container without a disk");
    const { copyDisk } = await import("../snapshots/copy-disk.ts");
    const draft = `${disk}.new`;
    await rm(draft, { force: true });
    await copyDisk(from, draft);
    await rename(draft, disk);
  }

  /** What the writable layer takes on the host's disk, and the image. */
  async sizes(): Promise<ContainerSizes> {
    const disk = this.writableDisk;
    const writable = disk === undefined ? 0 : await diskUsage(disk, this.config);
    const image = this.rootDisk().reduce((sum, extent) => sum + extent.length, 0);
    return { writable, whole: writable + image };
  }

  get #rootDiskPath(): string {
    return join(this.#folder, "root-disk.json");
  }

  get #folder(): string {
    return this.#store.folder(this.#record.id);
  }
}
