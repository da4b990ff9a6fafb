/**
 * Machines that wait for containers: clones of templates that have run a container already and are paused, or processes
 * of our own VMM that wait for their machine. A start takes one of its shape; what was taken is replaced when no start has
 * come for a moment.
 */

import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { PreparedNetwork } from "../../network/prepared-network.ts";
import type { Hypervisor, MachineConfig, SpareMachine } from "../../vmm/hypervisor.ts";
import type { EventSink } from "../engine-event.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { EnginePaths } from "../paths.ts";
import { RunDirectory } from "../run-directory.ts";
import { availableMemory } from "./available-memory.ts";
import { PoolPlan } from "./pool-plan.ts";
import { NO_CARDS, spareCards } from "./spare-cards.ts";
import { SpareGuardian } from "./spare-guardian.ts";
import { prepareWarmUp } from "./warm-up.ts";

export interface MachinePoolOptions {
  /** spares altogether, at most MAX_POOL; absent: one for emulated machines, which gain most, and none for others */
  readonly size: number | undefined;
  readonly paths: EnginePaths;
  readonly parts: EngineParts;
  readonly onEvent: EventSink;
}

/** A machine that was taken out of the pool and is the taker's. */
export interface TakenSpare {
  readonly machine: SpareMachine;
  /** the conversation with its agent, which goes on; absent: there was none yet */
  readonly agent?: AgentClient;
  /** has a network take over its cards */
  readonly connect: (network: PreparedNetwork) => Promise<void>;
  /** ends the pool's care for it: what else would end it with the daemon */
  readonly letGo: () => void;
  /** ends it, with all that was made for it */
  readonly giveUp: () => Promise<void>;
}

/** Spares that may be asked for: each has the better part of 100 MB. */
export const MAX_POOL = 64;
/** From a start until the pool fills up, in `milliseconds`: the container comes first. */
const QUIET = 500;
/** Memory of the host that stays free beside a new spare, in `MiB`. */
const RESERVE = 1024;

interface Shape {
  readonly hypervisor: Hypervisor;
  readonly config: MachineConfig;
}

interface Spare extends TakenSpare, AsyncDisposable {
  readonly key: string;
}

export class MachinePool implements AsyncDisposable {
  readonly #options: MachinePoolOptions;
  readonly #plan: PoolPlan<Shape>;
  readonly #guardian = new SpareGuardian();
  readonly #spares: Spare[] = [];
  readonly #abort = new AbortController();
  #lastStart = 0;
  #filling: Promise<void> | undefined;

  constructor(options: MachinePoolOptions) {
    this.#options = options;
    this.#plan = new PoolPlan(Math.min(options.size ?? 1, MAX_POOL));
  }

  /** Keys of the spares that there are. */
  get keys(): string[] {
    return this.#spares.map(({ key }) => key);
  }

  /**
   * A spare of the shape, if there is one. The start is noted: one of its shape will be there for a next.
   *
   * @returns nothing where the machine has to be started
   */
  async take(hypervisor: Hypervisor, config: MachineConfig): Promise<TakenSpare | undefined> {
    const key = await this.want(hypervisor, config);
    const at = this.#spares.findIndex((spare) => spare.key === key);
    return at < 0 ? undefined : this.#spares.splice(at, 1)[0];
  }

  /** Has a spare of the shape made for a next start. @returns its key, of a shape that can have one */
  async want(hypervisor: Hypervisor, config: MachineConfig): Promise<string | undefined> {
    if (!this.#serves(hypervisor)) return undefined;
    // what it is made from may have changed since: then its key has
    const key = await hypervisor.shapeKey?.(config).catch(() => undefined);
    if (key === undefined) return undefined;
    this.#plan.note(key, { hypervisor, config });
    this.#lastStart = Date.now();
    this.#fillLater();
    return key;
  }

  /** Ends the spares. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#filling;
    await Promise.all(this.#spares.splice(0).map((spare) => spare[Symbol.asyncDispose]()));
    this.#guardian[Symbol.dispose]();
  }

  #serves(hypervisor: Hypervisor): boolean {
    const { size } = this.#options;
    if (size === 0 || hypervisor.spares === undefined) return false;
    return size !== undefined || hypervisor.accelerator === "tcg";
  }

  #fillLater(): void {
    if (this.#abort.signal.aborted) return;
    this.#filling ??= this.#fill()
      .catch((error: Error) => this.#warn(error))
      .finally(() => {
        this.#filling = undefined;
      });
  }

  async #fill(): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      while (Date.now() - this.#lastStart < QUIET && !signal.aborted) {
        // the end of the daemon does not wait for it
        await setTimeout(QUIET, undefined, { ref: false, signal }).catch(() => {});
      }
      if (signal.aborted) return;
      await this.#dropSurplus();
      const wanted = this.#plan.next(this.keys);
      if (wanted === undefined || !hasRoom(wanted.shape.config)) return;
      const spare = await this.#make(wanted.key, wanted.shape);
      if (spare === undefined) this.#plan.forget(wanted.key);
      else this.#spares.push(spare);
    }
  }

  async #dropSurplus(): Promise<void> {
    const useless = this.#plan.surplus(this.keys).toReversed();
    const dropped = useless.flatMap((index) => this.#spares.splice(index, 1));
    await Promise.all(dropped.map((spare) => spare[Symbol.asyncDispose]()));
  }

  /** @returns nothing where there is no template to make it from: the next start makes one, or does without too */
  async #make(key: string, { hypervisor, config }: Shape): Promise<Spare | undefined> {
    const isWarm = hypervisor.spares === "warm";
    const container = `${SPARE}${randomBytes(4).toString("hex")}`;
    await using undo = new AsyncDisposableStack();
    const folder = undo.use(new RunDirectory(this.#options.paths.runRoot, container));
    const cards = undo.use(isWarm ? await spareCards(config, container, folder.path) : NO_CARDS);
    const networks = isWarm ? cards.networks : config.networks;
    const own = { ...config, networks, id: container, runDirectory: folder.path };
    const onProcess = (pid: number) => {
      folder.noteMachine(pid);
      this.#guardian.add(pid, cards.taps);
      undo.defer(() => this.#guardian.remove(pid));
    };
    const prepared = await this.#prepare(hypervisor, own, onProcess);
    if (prepared === undefined) return undefined;
    const { machine } = prepared;
    undo.use(machine);
    const { pid } = machine;
    const forget = () => {
      this.#guardian.remove(pid);
      const at = this.#spares.indexOf(spare);
      if (at >= 0) this.#spares.splice(at, 1);
    };
    const held = undo.move();
    const spare: Spare = {
      key,
      ...prepared,
      connect: async (network) => network.connect?.(await cards.give()),
      letGo: () => {
        forget();
        // the folder alone: the machine is the taker's
        folder[Symbol.dispose]();
      },
      giveUp: () => {
        forget();
        return held.disposeAsync();
      },
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
    void machine.exit.then(forget);
    return spare;
  }

  async #prepare(
    hypervisor: Hypervisor,
    config: MachineConfig,
    onProcess: (pid: number) => void,
  ): Promise<Pick<TakenSpare, "machine" | "agent"> | undefined> {
    const { signal } = this.#abort;
    const { paths, parts } = this.#options;
    if (hypervisor.spares !== "warm") {
      const machine = await hypervisor.prepare?.(config, { signal, onProcess });
      return machine && { machine };
    }
    let agent: AgentClient | undefined;
    const onClient = (client: AgentClient) => {
      agent = client;
    };
    await using warming = await prepareWarmUp({
      config,
      dataRoot: paths.dataRoot,
      parts,
      onClient,
    });
    const { warmUp } = warming;
    const machine = await hypervisor.prepare?.(config, { signal, onProcess, warmUp });
    return machine && agent && { machine, agent };
  }

  #warn(error: Error): void {
    if (this.#abort.signal.aborted) return;
    this.#options.onEvent({ type: "warning", text: `keeping machines ready: ${error.message}` });
  }
}

/** Begins the names of spares' run directories, which no id of a container begins with. */
const SPARE = "pool";

/** Whether the host can carry another. */
function hasRoom({ memoryMiB }: MachineConfig): boolean {
  return availableMemory() > memoryMiB + RESERVE;
}
