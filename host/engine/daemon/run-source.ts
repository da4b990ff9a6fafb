/** Where a container's run comes from: a machine of its own, another's, a saved one, or an earlier daemon's. */

import type { AgentClient } from "../../agent/agent-client.ts";
import type { ContainerRecord } from "../container-record.ts";
import { containerHostname } from "../container-spec.ts";
import { engineError } from "../errors.ts";
import { clearRunDirectory, RunDirectory, runDirectoryPath } from "../run-directory.ts";
import { savedDisks } from "../snapshots/saved-disks.ts";
import type { ContainerLog } from "./container-log.ts";
import { ContainerRun, type RestoreRunOptions } from "./container-run.ts";
import { bootFileGuest, type FileGuest } from "./file-guest.ts";
import type { GuestProcess } from "./guest-process.ts";
import type { GuestRun } from "./guest-run.ts";
import { JoinedRun } from "./joined-run.ts";
import type { KeptContainer } from "./kept-container.ts";
import type { ManagedParts } from "./managed-parts.ts";
import { findMachine, hostnameDonor } from "./pods.ts";
import { type RunState, readRunState } from "./run-state.ts";
import type { SharedMachine } from "./shared-machine.ts";

export interface RunSourceOptions {
  readonly kept: KeptContainer;
  readonly parts: ManagedParts;
  readonly log: ContainerLog;
  readonly onOom: () => void;
  /** the streams of a process that is about to start are open */
  readonly onOpened: (process: GuestProcess) => void;
}

/** A machine that was saved with the container. */
export type SavedMachine = Pick<RestoreRunOptions, "saved" | "memory">;

export class RunSource {
  readonly #options: RunSourceOptions;
  readonly #id: string;
  /** of an earlier daemon, in a machine that is being taken over */
  #reopened: JoinedRun | undefined;

  constructor(options: RunSourceOptions) {
    this.#options = options;
    this.#id = options.kept.record.id;
  }

  async start(signal: AbortSignal, from: SavedMachine | undefined): Promise<GuestRun> {
    const { gate, members } = this.#options.parts;
    const shared = await findMachine(this.#record, members);
    if (shared !== undefined) return this.#join(shared, signal);
    return gate.run(() => this.#boot(signal, from), signal);
  }

  /** @returns nothing when its process had not been started */
  adopt(state: RunState): Promise<GuestRun | undefined> {
    if (state.machine !== undefined) return this.#adoptIn(state.machine);
    const { members } = this.#options.parts;
    const onTakeOver = (client: AgentClient) => {
      for (const member of members.values()) member.reopen(this.#id, client);
    };
    const disks = savedDisks(this.#options.kept);
    return ContainerRun.adopt({ ...this.#taken(), onTakeOver, disks }, state);
  }

  /** See `PodMember.reopen`. */
  reopen(owner: string, client: AgentClient): void {
    const state = readRunState(runDirectoryPath(this.#runRoot, this.#id));
    if (state?.machine !== owner) return;
    this.#reopened = JoinedRun.ofEarlier(this.#taken(), state);
    this.#reopened.reopen(client);
  }

  /** A machine of its own in which nothing of it runs. */
  bootFiles(): Promise<FileGuest> {
    this.clear();
    return this.#options.parts.gate.run(() => bootFileGuest(this.#places()));
  }

  /** Ends a machine that is left, and removes its folder. */
  clear(): void {
    clearRunDirectory(this.#runRoot, this.#id);
  }

  async #boot(signal: AbortSignal, from: SavedMachine | undefined): Promise<GuestRun> {
    this.clear();
    const options = this.#starts(signal);
    if (from === undefined) {
      return ContainerRun.start({ ...options, pool: this.#options.parts.pool });
    }
    const run = await ContainerRun.restore({ ...options, ...from });
    this.#options.onOpened(run.process);
    return run;
  }

  #join(shared: SharedMachine, signal: AbortSignal): Promise<GuestRun> {
    this.clear();
    return JoinedRun.start({ ...this.#starts(signal), record: this.#podRecord(), shared });
  }

  async #adoptIn(owner: string): Promise<GuestRun | undefined> {
    const member = this.#options.parts.members.get(owner);
    await member?.recovered;
    const run = this.#reopened;
    if (run === undefined || member?.machine === undefined) {
      throw engineError("MACHINE_LOST", `the machine of container ${owner} is no more`);
    }
    return (await run.adopt(member.machine)) ? run : undefined;
  }

  #starts(signal: AbortSignal) {
    const { log, onOom, onOpened } = this.#options;
    return { ...this.#places(), log, onOom, onOpened, signal };
  }

  /** What of an earlier daemon's run is known. */
  #taken() {
    const { log, onOom } = this.#options;
    const runDirectory = new RunDirectory(this.#runRoot, this.#id, { takenOver: true });
    return { ...this.#shared(), record: this.#podRecord(), log, onOom, runDirectory };
  }

  /** What a machine of this container is made of. */
  #places() {
    const { kept } = this.#options;
    return {
      ...this.#shared(),
      runDirectory: new RunDirectory(this.#runRoot, this.#id),
      writableDisk: kept.writableDisk,
      extents: kept.rootDisk(),
    };
  }

  #shared() {
    const { paths, parts, deadlines, onEvent } = this.#options.parts;
    return { record: this.#record, dataRoot: paths.dataRoot, parts, deadlines, onEvent };
  }

  #podRecord(): ContainerRecord {
    const record = this.#record;
    const donor = hostnameDonor(record, this.#options.parts.members);
    if (donor === record) return record;
    const hostname = containerHostname(donor.id, donor.config);
    return { ...record, config: { ...record.config, hostname } };
  }

  get #record(): ContainerRecord {
    return this.#options.kept.record;
  }

  get #runRoot(): string {
    return this.#options.parts.paths.runRoot;
  }
}
