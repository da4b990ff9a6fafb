/** What is to be known of a saved machine before a VMM goes on from it. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { VmmError } from "../errors.ts";
import type { SavedMachine } from "../hypervisor.ts";
import { STATE_VERSION } from "../kvm/machine-state.ts";
import type { SavedFiles } from "./saved-files.ts";
import { processorIdentity } from "./template-key.ts";

/** Goes on only where it is the same: a guest has seen the features of its processor. */
export async function savedFormat(): Promise<string> {
  const processor = processorIdentity(await readFile("/proc/cpuinfo", "utf8"));
  const digest = createHash("sha256").update(processor.join("\n")).digest("hex");
  return JSON.stringify({ backend: "kvm", version: STATE_VERSION, processor: digest });
}

/** Where that is which `VmmProcess.saveTo` has written. @throws {VmmError} VMM_UNSUPPORTED */
export async function savedFiles({ path, format }: SavedMachine): Promise<SavedFiles> {
  if (format === (await savedFormat())) return { memory: path, state: stateBeside(path) };
  const what = `the kvm backend cannot go on here with ${format.slice(0, 100)}`;
  throw new VmmError("VMM_UNSUPPORTED", what);
}

/** Where the state of a machine is whose memory is here. */
export function stateBeside(memory: string): string {
  return `${memory}.state`;
}
