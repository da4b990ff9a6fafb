/** A container saved while it runs: held still, written down with its memory and its disk, and let go on. */

import { existsSync } from "node:fs";
import { copyFile, link, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ManagedContainer } from "../daemon/managed-container.ts";
import { readRunState } from "../daemon/run-state.ts";
import { engineError } from "../errors.ts";
import { deviceDisks } from "../guest-devices.ts";
import { BASE_NAME } from "../storage/container-disk.ts";
import { swapBytes } from "../volumes/swap-disk.ts";
import { copyDisk } from "./copy-disk.ts";
import { savedDisks } from "./saved-disks.ts";
import type { SavedRun } from "./snapshot-meta.ts";
import type { SnapshotFiles } from "./snapshot-store.ts";

/** File in which a container has its image's disk, see `KeptContainer`. */
const ROOT_DISK = "root-disk.json";

/**
 * @param files what is written is the caller's to remove, whatever happens
 * @throws DvmError `WRONG_STATE` unless it runs, `NOT_SUPPORTED` for what cannot be saved
 */
export function takeSnapshot(container: ManagedContainer, files: SnapshotFiles): Promise<SavedRun> {
  return container.serial.run(async () => {
    const { run, record } = container;
    const isPaused = record.state.status === "paused";
    checkSavable(container);
    if (!isPaused) await run.pause();
    try {
      return await whilePaused(container, () => save(container, files, isPaused));
    } finally {
      if (!isPaused) await run.unpause();
    }
  });
}

function checkSavable({ id, record, run }: ManagedContainer): void {
  const { owner, machine, shares, joined } = run.machine;
  const refuse = (what: string, hint?: string) => {
    throw engineError("NOT_SUPPORTED", `container ${id} cannot be saved: ${what}`, {
      ...(hint === undefined ? {} : { hint }),
    });
  };
  if (owner !== id) refuse(`it runs in the machine of ${owner}`);
  if (joined.size > 0) refuse("other containers run in its machine", "stop them before");
  if (shares.length > 0 || (record.mounts ?? []).length > 0) {
    refuse("it has volumes or folders of the host", "what they hold is not the container's alone");
  }
  if (deviceDisks(record.config).length > 0) refuse("it has a disk of the host");
  if (swapBytes(record.config.resources) > 0) {
    refuse("its memory may be swapped", "run it without --memory-swap");
  }
  if (machine.saveTo === undefined) refuse("its virtual machine does not know how", "--vmm qemu");
}

async function whilePaused<T>({ run }: ManagedContainer, work: () => Promise<T>): Promise<T> {
  const { machine } = run.machine;
  await machine.pause();
  try {
    return await work();
  } finally {
    await machine.resume();
  }
}

async function save(
  { id, run, kept, streams }: ManagedContainer,
  files: SnapshotFiles,
  isPaused: boolean,
): Promise<SavedRun> {
  const { machine, runDirectory } = run.machine;
  const { writableDisk } = kept;
  const state = readRunState(runDirectory);
  if (machine.saveTo === undefined || writableDisk === undefined || state?.stdio === undefined) {
    throw engineError("WRONG_STATE", `container ${id} is not running`);
  }
  const { base = { stdout: 0, stderr: 0 } } = state;
  const format = await machine.saveTo(files.memory, savedDisks(kept));
  // a credit that reached the guest before it stood still is of what is logged by now
  const { stdout, stderr } = streams.logged;
  await copyContainer(writableDisk, files.container);
  return {
    generation: state.generation + 1,
    inGuest: state.inGuest ?? id,
    stdio: state.stdio,
    offsets: { stdout: base.stdout + stdout, stderr: base.stderr + stderr },
    networks: run.networks,
    isPaused,
    format,
  };
}

/** Copies a container's disk and what belongs to it. @param folder must not have them */
export async function copyContainer(disk: string, folder: string): Promise<void> {
  await copyDisk(disk, join(folder, basename(disk)));
  const from = dirname(disk);
  await copyFile(join(from, ROOT_DISK), join(folder, ROOT_DISK));
  // the image's disk below, which nobody changes
  if (existsSync(join(from, BASE_NAME))) await link(join(from, BASE_NAME), join(folder, BASE_NAME));
}

/** The same for one that nobody else needs. */
export async function moveContainer(disk: string, folder: string): Promise<void> {
  const from = dirname(disk);
  const names = [basename(disk), ROOT_DISK, BASE_NAME];
  for (const name of names.filter((each) => existsSync(join(from, each)))) {
    await rename(join(from, name), join(folder, name));
  }
}
