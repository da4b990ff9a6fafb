/** A container in the machine of another one, from its start there, or its adoption, to its end. */

import type { AgentClient } from "../../agent/agent-client.ts";
import { DvmError } from "../../errors.ts";
import type { DiskConfig } from "../../vmm/hypervisor.ts";
import { machineConfig } from "../boot-machine.ts";
import type { ContainerExit } from "../container-exit.ts";
import { containerSpec, guestResources } from "../container-spec.ts";
import { diskLimits } from "../disk-limits.ts";
import type { PreparedImage } from "../engine-parts.ts";
import { engineError } from "../errors.ts";
import { NO_NETWORK } from "../networks/prepare-network.ts";
import { joinedDisks, joinedSpec, withSharesOf } from "../pods/joined-spec.ts";
import { prepareVolumes, releaseSwap } from "../volumes/container-volumes.ts";
import type { GuestProcess } from "./guest-process.ts";
import { GuestRun, type RunOptions } from "./guest-run.ts";
import type { DaemonContainerConfig } from "./model.ts";
import { newRunState, type RunState } from "./run-state.ts";
import type { SharedMachine } from "./shared-machine.ts";

/** Status of a process whose machine ended: 128 + SIGKILL. */
const KILLED = 137;
const SIGKILL = 9;

export interface StartJoinedOptions extends RunOptions {
  readonly shared: SharedMachine;
  readonly extents: PreparedImage["extents"];
  readonly writableDisk: string | undefined;
  /** its streams are open and it has not started: who is to miss nothing joins now */
  readonly onOpened: (process: GuestProcess) => void;
  readonly signal: AbortSignal;
}

export class JoinedRun extends GuestRun {
  #shared: SharedMachine | undefined;

  /** Gives the machine the container's disks and starts its process there; whatever fails is taken back. */
  static async start(options: StartJoinedOptions): Promise<JoinedRun> {
    const { shared, record } = options;
    const run = new JoinedRun(options, { ...newRunState(record.id), machine: shared.owner });
    try {
      run.#enter(shared);
      run.watch(shared.agent);
      await shared.turns.run(() => run.#begin(options));
      return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One of an earlier daemon's; its machine is being taken over: `reopen`, then `adopt`. */
  static ofEarlier(options: RunOptions, state: RunState): JoinedRun {
    return new JoinedRun(options, state);
  }

  /** The machine was taken over. @returns whether its process had been started; it is taken down when not */
  async adopt(shared: SharedMachine): Promise<boolean> {
    this.#enter(shared);
    if (await this.isStarted(shared.agent)) return true;
    await this[Symbol.asyncDispose]();
    return false;
  }

  get machine(): SharedMachine {
    if (this.#shared === undefined) {
      throw engineError("WRONG_STATE", `container ${this.id} is not running`);
    }
    return this.#shared;
  }

  get pid(): number {
    return this.#shared?.machine.pid ?? 0;
  }

  get bootedAt(): number {
    return this.#shared?.bootedAt ?? 0;
  }

  get isMute(): boolean {
    return false;
  }

  get agent(): AgentClient {
    return this.machine.agent;
  }

  protected get vcpus(): number {
    return this.#shared?.vcpus ?? 1;
  }

  async update(resources: DaemonContainerConfig["resources"]): Promise<readonly string[]> {
    const limits = guestResources(resources);
    await this.ask({ type: "container.update", container: this.id, resources: limits });
    return [];
  }

  async kill(): Promise<void> {
    await this.signal(SIGKILL).catch(() => this.#gone(undefined));
  }

  async finish(exit: ContainerExit): Promise<void> {
    this.save({ exit });
    await this[Symbol.asyncDispose]();
  }

  /** Takes the container out of the guest, and its disks out of the machine, which stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#takeDown();
    } catch (error) {
      this.warn(`leaving the machine: ${(error as Error).message}`);
    }
    this.unwatch();
    this.#shared?.joined.delete(this.id);
    await releaseSwap(this.options.record, this.options.dataRoot);
    this.options.runDirectory[Symbol.dispose]();
  }

  release(): void {
    this.unwatch();
  }

  #enter(shared: SharedMachine): void {
    this.#shared = shared;
    shared.joined.add(this.id);
    const { owner, machine, agent } = shared;
    const error = `the machine of container ${owner}, which it had joined, has ended`;
    void machine.exit.then(() => this.#gone(error));
    agent.once("closed", () => void this.#gone(error));
  }

  async #begin({ shared, extents, writableDisk, signal, onOpened }: StartJoinedOptions) {
    const { record, parts, dataRoot, runDirectory } = this.options;
    const { id: container, config } = record;
    const prepared = await prepareVolumes(record, dataRoot, runDirectory.path);
    const mounts = withSharesOf(prepared, shared.shares);
    const { disks } = machineConfig({
      container,
      artifacts: parts.findArtifacts(),
      shape: { memoryMiB: 0, vcpus: shared.vcpus },
      extents,
      writableDisk,
      disposable: config.autoRemove,
      runDirectory: runDirectory.path,
      mounts,
      diskLimits: diskLimits(config.resources),
    });
    await this.#plug(joinedDisks(container, disks), shared);
    signal.throwIfAborted();
    const spec = containerSpec(container, config, NO_NETWORK, mounts);
    await this.startProcess({
      machine: shared.machine,
      spec: joinedSpec(container, { spec, disks, config }),
      ready: Promise.resolve(),
      noted: {},
      onOpened,
      signal,
    });
  }

  async #plug(disks: readonly DiskConfig[], { machine, owner }: SharedMachine): Promise<void> {
    if (machine.plugDisks === undefined) {
      throw engineError("NOT_SUPPORTED", `the machine of container ${owner} cannot be joined`, {
        hint: "its backend's machines keep the disks that they start with",
      });
    }
    // noted first: a daemon that dies now leaves disks that the next one finds
    this.save({ disks: disks.map(({ serial }) => serial) });
    await machine.plugDisks(disks);
  }

  async #takeDown(): Promise<void> {
    const shared = this.#shared;
    if (shared === undefined) return;
    const { machine } = shared;
    if ((await Promise.race([machine.exit, undefined])) !== undefined) return;
    await this.ask({ type: "container.remove", container: this.id }).catch(unlessUnknown);
    await machine.unplugDisks?.(this.state.disks ?? []);
  }

  async #gone(error: string | undefined): Promise<void> {
    const exit = { exitCode: KILLED, oomKilled: false, ...(error === undefined ? {} : { error }) };
    this.process.lost(exit);
    this.execs.lost(exit);
  }
}

/** A container that the guest could not make is none of its. */
function unlessUnknown(error: unknown): void {
  if (!(error instanceof DvmError) || error.code !== "CONTAINER_STATE") throw error;
}
