/** The start of a container, step by step; whatever fails, what was there by then is taken down again. */

import type { TerminalSize } from "#protocol";
import type { AttachedStreams } from "./attachment.ts";
import { type GuestDeadlines, openMachine } from "./boot-machine.ts";
import type { ContainerRecord } from "./container-record.ts";
import { containerHostname, containerSpec } from "./container-spec.ts";
import { diskLimits } from "./disk-limits.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import type { EngineParts, PreparedImage } from "./engine-parts.ts";
import { type ContainerExit, LiveContainer } from "./live-container.ts";
import { machineShape } from "./machine-shape.ts";
import { prepareNetwork } from "./networks/prepare-network.ts";
import { processSpec } from "./process-spec.ts";
import type { RunDirectory } from "./run-directory.ts";
import { prepareVolumes } from "./volumes/container-volumes.ts";

export interface StartOptions {
  readonly record: ContainerRecord;
  readonly image: PreparedImage;
  readonly attached: readonly AttachedStreams[];
  /** size of the client's terminal */
  readonly terminal: TerminalSize | undefined;
  readonly writableDisk: string;
  readonly dataRoot: string;
  readonly runDirectory: RunDirectory;
  readonly parts: EngineParts;
  readonly deadlines: GuestDeadlines;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
  /** the process runs */
  readonly onRunning: () => void;
  /** the process has ended; `release` ends the machine, in good order if the writable disk is to be kept */
  readonly onEnd: (exit: ContainerExit, release: (keepDisk: boolean) => Promise<void>) => void;
}

export async function startContainer(options: StartOptions): Promise<LiveContainer> {
  const { record, parts, onEvent, signal } = options;
  const { id: container, config } = record;
  await using undo = new AsyncDisposableStack();
  // neither needs the other, and each waits for processes or files
  const [opened, prepared] = await Promise.allSettled([
    inPhase(onEvent, { container, phase: "accelerator" }, () =>
      parts.openHypervisor(config.machine, options.dataRoot),
    ),
    inPhase(onEvent, { container, phase: "network" }, () =>
      prepareNetwork({
        container,
        config,
        exposedPorts: record.image.run.exposedPorts,
        dataRoot: options.dataRoot,
        names: [record.name, containerHostname(container, config)],
        runDirectory: options.runDirectory.path,
      }),
    ),
  ]);
  if (prepared.status === "fulfilled") undo.use(prepared.value);
  if (opened.status === "rejected") throw opened.reason;
  if (prepared.status === "rejected") throw prepared.reason;
  const { hypervisor, reason } = opened.value;
  const network = prepared.value;
  const mounts = await prepareVolumes(record, options.dataRoot, options.runDirectory.path);
  signal?.throwIfAborted();
  const shape = machineShape(config.resources, hypervisor.accelerator);
  const { name: backend, accelerator } = hypervisor;
  onEvent({
    type: "machine",
    container,
    backend,
    accelerator,
    reason,
    ...shape,
  });

  const booted = undo.use(
    await openMachine({
      ...options,
      container,
      hypervisor,
      artifacts: parts.findArtifacts(),
      shape,
      extents: options.image.extents,
      disposable: config.autoRemove,
      runDirectory: options.runDirectory.path,
      hostname: containerHostname(container, config),
      network,
      mounts,
      diskLimits: diskLimits(config.resources),
    }),
  );
  options.runDirectory.noteMachine(booted.machine.pid);
  const live = new LiveContainer({
    container,
    booted,
    spec: containerSpec(container, config, network, mounts),
    process: (stdio) =>
      processSpec({
        config,
        image: record.image.run,
        hostname: containerHostname(container, config),
        stdio,
        ...(options.terminal ? { terminal: options.terminal } : {}),
      }),
    attached: options.attached,
    openStdin: config.openStdin,
    terminal: config.terminal,
    deadlines: options.deadlines,
    onEvent,
    signal,
  });
  await live.start();
  options.onRunning();
  const machine = undo.move();
  void live.exit.then((exit) =>
    options.onEnd(exit, async (keepDisk) => {
      // what has been written on volumes outlasts the container
      if (keepDisk || mounts.specs.length > 0) await shutDown(live, onEvent, container);
      await machine.disposeAsync();
    }),
  );
  return live;
}

/** A guest that does not shut down is killed; its disk has a journal. */
async function shutDown(live: LiveContainer, onEvent: EventSink, container: string): Promise<void> {
  try {
    await live.shutDown();
  } catch (error) {
    onEvent({ type: "warning", container, text: `shutting down: ${(error as Error).message}` });
  }
}
