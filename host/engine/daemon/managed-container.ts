/** One container of a daemon: its life from creation, over any number of starts and ends, to removal. */

import type { TerminalSize } from "#protocol";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { ContainerExit } from "../container-exit.ts";
import type { ContainerRecord } from "../container-record.ts";
import { engineError } from "../errors.ts";
import { runDirectoryPath } from "../run-directory.ts";
import type { SavedRun } from "../snapshots/snapshot-meta.ts";
import { releaseVolumes } from "../volumes/container-volumes.ts";
import { ContainerLog } from "./container-log.ts";
import { beingRemoved, markedForRemoval, notRunning, stillRuns } from "./container-refusals.ts";
import { ContainerStreams } from "./container-streams.ts";
import { containerView } from "./container-view.ts";
import { endRun } from "./end-run.ts";
import { ExitWaiters } from "./exit-waiters.ts";
import { borrowedGuest, type FileGuest, lendGuest } from "./file-guest.ts";
import type { GuestProcess } from "./guest-process.ts";
import type { GuestRun } from "./guest-run.ts";
import { HealthMonitor } from "./health-monitor.ts";
import { KeptContainer } from "./kept-container.ts";
import type { ManagedParts } from "./managed-parts.ts";
import type { ContainerView, DaemonContainerConfig, StopOptions } from "./model.ts";
import { endJoined, type PodMember } from "./pods.ts";
import { endedRun, isToRestart, isToStartWithDaemon } from "./restart-policy.ts";
import { RestartTimer } from "./restart-timer.ts";
import { RunSource, type SavedMachine } from "./run-source.ts";
import { type RunState, readRunState } from "./run-state.ts";
import { Serial } from "./serial.ts";
import type { SharedMachine } from "./shared-machine.ts";
import { stopSignal } from "./stop-signal.ts";

const SIGKILL = 9;

export class ManagedContainer implements PodMember {
  readonly id: string;
  readonly #parts: ManagedParts;
  /** in which order its life's changes happen */
  readonly serial = new Serial();
  readonly #log: ContainerLog;
  readonly #waiters = new ExitWaiters();
  /** its output and input, and its log */
  readonly streams: ContainerStreams;
  readonly #kept: KeptContainer;
  #run: GuestRun | undefined;
  readonly #source: RunSource;
  #recovered: Promise<void> = Promise.resolve();
  /** a process that is about to start */
  #opened: GuestProcess | undefined;
  #starting: AbortController | undefined;
  readonly #restart = new RestartTimer();
  #health: HealthMonitor | undefined;
  #isServingFiles = false;
  #removing = false;
  #closing = false;

  constructor(record: ContainerRecord, parts: ManagedParts) {
    this.id = record.id;
    this.#kept = new KeptContainer(record, parts.store, (text) => this.#warn(text));
    this.#parts = parts;
    this.#log = new ContainerLog({
      folder: parts.store.folder(record.id),
      config: this.config.log,
      onFailure: (error) => this.#warn(`the log lacks lines: ${error.message}`),
    });
    this.#source = new RunSource({
      kept: this.#kept,
      parts,
      log: this.#log,
      onOom: () => this.tell("oom"),
      onOpened: (process) => {
        this.#opened = process;
        this.streams.started(process);
      },
    });
    this.streams = new ContainerStreams({
      log: this.#log,
      config: () => this.config,
      process: () => this.#run?.process ?? this.#opened,
      isLive: () => this.#run !== undefined || this.#starting !== undefined,
    });
  }

  get record(): ContainerRecord {
    return this.#kept.record;
  }

  get config(): DaemonContainerConfig {
    return this.#kept.config;
  }

  /** The disks, and what is kept on disk. */
  get kept(): KeptContainer {
    return this.#kept;
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  view(): ContainerView {
    return containerView(this.record, {
      run: this.#run,
      health: this.#health?.state,
      removing: this.#removing,
      logPath: this.#log.path,
    });
  }

  /** What runs in it. @throws DvmError `WRONG_STATE` */
  get run(): GuestRun {
    if (this.#run === undefined) throw notRunning(this.id);
    return this.#run;
  }

  get machine(): SharedMachine | undefined {
    return this.#run?.isMute ? undefined : this.#run?.machine;
  }

  get recovered(): Promise<void> {
    return this.#recovered;
  }

  settled(): Promise<void> {
    return this.serial.idle();
  }

  async endWithMachine(): Promise<void> {
    if (this.#run !== undefined) await this.#end(this.#run, {});
  }

  async #end(run: GuestRun, options: StopOptions): Promise<void> {
    const over = this.#waiters.next("exit");
    // nobody's grace is to wait for another's
    const others = endJoined(this.id, this.#parts.members);
    await endRun(run, this.record, { ...options, onSignal: (signal) => this.#tellSignal(signal) });
    await Promise.all([over, others]);
  }

  reopen(owner: string, client: AgentClient): void {
    this.#source.reopen(owner, client);
  }

  /** @returns false when it runs already */
  start(): Promise<boolean> {
    return this.serial.run(async () => {
      this.#restart.reset();
      if (this.#run !== undefined) return false;
      this.#kept.update({ stoppedByUser: false, restartCount: 0 });
      await this.#start();
      return true;
    });
  }

  /** Goes on where it, or another container, was saved. @param disk that of the snapshot, which it has in place of its own */
  goOn(saved: SavedRun, from: { readonly memory: string; readonly disk?: string }): Promise<void> {
    return this.serial.run(async () => {
      if (this.#run !== undefined) throw engineError("WRONG_STATE", `container ${this.id} runs`);
      if (from.disk !== undefined) await this.#kept.replaceDisk(from.disk);
      this.#kept.update({ stoppedByUser: false, restartCount: 0 });
      await this.#start({ saved, memory: from.memory });
      if (saved.isPaused) this.#kept.setState({ status: "paused" });
    });
  }

  /** Signals, waits, kills. @returns false when it did not run */
  async stop(options: StopOptions): Promise<boolean> {
    const waited = this.#restart.isPending;
    await this.#giveUpRestart();
    if (this.#starting !== undefined) await this.serial.idle();
    const run = this.#run;
    if (run === undefined) return waited;
    this.#kept.update({ stoppedByUser: true });
    await this.#end(run, options);
    this.tell("stop");
    return true;
  }

  async restart(options: StopOptions): Promise<void> {
    await this.stop(options);
    await this.serial.run(async () => {
      if (this.#run === undefined) await this.#start();
    });
    this.#kept.update({ stoppedByUser: false });
    this.tell("restart");
  }

  async kill(signal: number): Promise<void> {
    const { run } = this;
    const fatal = signal === SIGKILL || signal === stopSignal(this.record);
    if (fatal) this.#kept.update({ stoppedByUser: true });
    if (this.record.state.status === "paused" && signal === SIGKILL) await run.unpause();
    const over = signal === SIGKILL ? this.#waiters.next("exit") : undefined;
    await run.signal(signal);
    this.#tellSignal(signal);
    await over;
  }

  rename(name: string): void {
    const oldName = this.record.name;
    this.#parts.store.rename(this.record, name);
    this.#kept.update({ name, config: { ...this.config, name } });
    this.tell("rename", { oldName: `/${oldName}` });
  }

  /** @throws DvmError `WRONG_STATE` for one that runs, unless forced */
  async remove({
    force,
    volumes = false,
  }: {
    readonly force: boolean;
    /** whether its volumes without a name go too */
    readonly volumes?: boolean;
  }): Promise<void> {
    const runs = this.#run !== undefined || this.#starting !== undefined;
    if ((runs || this.#restart.isPending) && !force) throw stillRuns(this.record);
    if (this.#removing) throw beingRemoved(this.id);
    this.#removing = true;
    this.#starting?.abort(engineError("WRONG_STATE", `container ${this.id} was removed`));
    await this.#giveUpRestart();
    if (this.#isServingFiles) await this.serial.idle();
    const run = this.#run;
    if (run !== undefined) {
      const over = this.#waiters.next("exit");
      await run.kill();
      await over;
    }
    await this.serial.run(() => this.#forget(volumes));
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.run.resize(size);
  }

  /**
   * Settles with the end that the condition speaks of. `onWaiting` is called once nothing that happens from then on
   * is missed.
   */
  async wait(options: {
    readonly condition: "not-running" | "next-exit" | "removed";
    readonly signal: AbortSignal;
    readonly onWaiting: () => void;
  }): Promise<ContainerExit> {
    const { condition } = options;
    const isIdle = this.#run === undefined && this.#starting === undefined;
    if (condition === "not-running" && isIdle && !this.#restart.isPending) {
      options.onWaiting();
      return this.#kept.lastExit;
    }
    return this.#waiters.next(condition === "removed" ? "removed" : "exit", options);
  }

  /** A guest to work on the files, until it is disposed of: the container does not start or end meanwhile. */
  async openFiles(): Promise<FileGuest> {
    if (this.#starting !== undefined) await this.serial.idle();
    const { promise, resolve, reject } = Promise.withResolvers<FileGuest>();
    const serve = () => this.#serveFiles(resolve);
    this.serial.run(serve).catch(reject);
    return promise;
  }

  /** At the daemon's start: takes over what runs, notes what has ended meanwhile, applies the restart policy. */
  recover(): Promise<void> {
    const result = this.#recover();
    this.#recovered = result.catch(() => {});
    return result;
  }

  async #recover(): Promise<void> {
    const { runRoot } = this.#parts.paths;
    const state = readRunState(runDirectoryPath(runRoot, this.id));
    await this.serial.run(async () => {
      if (state !== undefined) await this.#adopt(state);
      else this.#source.clear();
      const { status } = this.record.state;
      const ran = status === "running" || status === "paused";
      if (this.#run === undefined && ran) {
        const error = "the virtual machine was lost while no dvmd ran";
        await this.#noteEnd({ exitCode: 137, oomKilled: false, error });
      }
    });
    if (this.#run !== undefined || this.#kept.isRemoved) return;
    if (this.config.autoRemove && this.record.state.status === "exited") {
      await this.serial.run(() => this.#forget());
      return;
    }
    const { startedAt } = this.record.state;
    if (startedAt !== undefined && isToStartWithDaemon(endedRun(this.record))) {
      // many may boot, and nobody waits for them
      void this.start().catch((error: Error) => this.#warn(`starting again: ${error.message}`));
    }
  }

  /** The daemon ends: machines run on. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#restart.clear();
    this.#starting?.abort(engineError("WRONG_STATE", "dvmd is shutting down"));
    await this.serial.idle();
    this.#health?.stop();
    this.#run?.release();
    this.streams.detachAll();
    this.#log.close();
  }

  async #start(from?: SavedMachine): Promise<void> {
    if (this.#kept.isRemoved || this.#removing) throw markedForRemoval(this.id);
    const abort = new AbortController();
    this.#starting = abort;
    try {
      this.#runs(await this.#source.start(abort.signal, from));
    } catch (error) {
      this.#startFailed(error);
      throw error;
    } finally {
      this.#starting = undefined;
      this.#opened = undefined;
    }
  }

  /** Settles when the guest that is handed out is done with, and gone unless the container runs. */
  async #serveFiles(onGuest: (guest: FileGuest) => void): Promise<void> {
    if (this.#run !== undefined) return onGuest(borrowedGuest(this.#run.agent));
    if (this.#kept.isRemoved) throw markedForRemoval(this.id);
    this.#isServingFiles = true;
    try {
      await lendGuest(() => this.#source.bootFiles(), onGuest);
    } finally {
      this.#isServingFiles = false;
    }
  }

  #runs(run: GuestRun): void {
    this.#run = run;
    this.#kept.started(run.startedAt);
    this.#watch(run);
    this.tell("start");
  }

  #watch(run: GuestRun): void {
    this.#health = HealthMonitor.of(this.record, run, (status) =>
      this.tell(`health_status: ${status}`),
    );
    void run.process.ended.then((exit) => {
      if (this.#closing) return;
      void this.serial.run(() => this.#ended(run, exit));
    });
  }

  #startFailed(error: unknown): void {
    const { message, exitCode } = error as { message: string; exitCode?: unknown };
    const status = this.record.state.startedAt === undefined ? "created" : "exited";
    this.#kept.setState({
      status,
      exitCode: typeof exitCode === "number" ? exitCode : 128,
      error: message,
    });
    this.#waiters.settle("exit", this.#kept.lastExit);
    this.streams.detachAll();
    this.#log.emit("change");
    if (this.config.autoRemove && !this.#closing && !this.#removing) {
      void this.remove({ force: true }).catch((cause: Error) => this.#warn(cause.message));
    }
  }

  /** The process has ended: ends the machine, notes how it went, and does what is to follow. */
  async #ended(run: GuestRun, exit: ContainerExit): Promise<void> {
    this.#health?.stop();
    try {
      await endJoined(this.id, this.#parts.members);
      await run.finish(exit);
    } catch (error) {
      this.#warn(`teardown: ${String(error)}`);
    }
    this.#run = undefined;
    await this.#noteEnd(exit);
  }

  async #noteEnd(exit: ContainerExit): Promise<void> {
    const ended = { ...endedRun(this.record), exitCode: exit.exitCode };
    const restarts = !this.#removing && !this.#closing && isToRestart(ended);
    this.#kept.ended(exit, restarts ? "restarting" : "exited");
    this.tell("die", { exitCode: `${exit.exitCode}` });
    this.#waiters.settle("exit", exit);
    this.#log.emit("change");
    if (restarts) this.#restartLater();
    else if (this.config.autoRemove && !this.#removing) await this.#forget();
  }

  #restartLater(): void {
    const { startedAt = "", finishedAt = "" } = this.record.state;
    this.#restart.set(Date.parse(finishedAt) - Date.parse(startedAt), () =>
      this.serial.run(() => this.#restartNow()),
    );
  }

  async #restartNow(): Promise<void> {
    if (!this.#restart.isPending || this.#run !== undefined) return;
    this.#restart.clear();
    this.#kept.update({ restartCount: (this.record.restartCount ?? 0) + 1 });
    await this.#start().catch((error: Error) => this.#warn(`restarting: ${error.message}`));
  }

  async #giveUpRestart(): Promise<void> {
    if (!this.#restart.isPending) return;
    this.#restart.clear();
    await this.serial.run(async () => {
      if (this.#run === undefined) this.#kept.update({ stoppedByUser: true });
      if (this.record.state.status === "restarting") this.#kept.setState({ status: "exited" });
    });
  }

  async #adopt(state: RunState): Promise<void> {
    try {
      const run = await this.#source.adopt(state);
      if (run === undefined) return;
      this.#run = run;
      const { status } = this.record.state;
      if (status !== "running" && status !== "paused") {
        this.#kept.setState({ status: "running", startedAt: run.startedAt });
      }
      // a daemon that was killed while it saved the container has left it held still
      if (status === "running") void run.unpause().catch(() => {});
      this.#watch(run);
    } catch (error) {
      this.#source.clear();
      if (state.exit !== undefined) {
        await this.#noteEnd(state.exit);
        return;
      }
      this.#warn(`taking over: ${(error as Error).message}`);
    }
  }

  async #forget(withVolumes = false): Promise<void> {
    if (this.#kept.isRemoved) return;
    const { parts, paths } = this.#parts;
    this.#log.close();
    const gone = await releaseVolumes({
      container: this.id,
      dataRoot: paths.dataRoot,
      removeAnonymous: withVolumes || this.config.autoRemove,
    });
    for (const volume of gone) this.#parts.onVolumeGone(volume);
    await parts.releaseImage(this.id, paths.dataRoot);
    this.#kept.remove();
    this.streams.over();
    const { error: _, ...exit } = this.#kept.lastExit;
    this.#waiters.settle("removed", exit);
    this.#parts.onRemoved(this.id);
    this.tell("destroy");
  }

  #tellSignal(signal: number): void {
    this.tell("kill", { signal: `${signal}` });
  }

  /** Tells what happened to it. */
  tell(action: string, attributes?: Readonly<Record<string, string>>): void {
    this.#parts.onAction(this.record, action, attributes);
  }

  #warn(text: string): void {
    this.#parts.onEvent({ type: "warning", container: this.id, text });
  }
}
