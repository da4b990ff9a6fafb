/** A guest that can work on a container's files: its own, or for one that does not run, one for the purpose. */

import type { AgentClient } from "../../agent/agent-client.ts";
import { bootMachine, type GuestDeadlines } from "../boot-machine.ts";
import type { ContainerRecord } from "../container-record.ts";
import { containerHostname, containerSpec } from "../container-spec.ts";
import { withDeadline } from "../deadline.ts";
import type { EventSink } from "../engine-event.ts";
import type { EngineParts, PreparedImage } from "../engine-parts.ts";
import { machineShape } from "../machine-shape.ts";
import type { RunDirectory } from "../run-directory.ts";
import { prepareVolumes } from "../volumes/container-volumes.ts";
import { creationDeadline, NO_MOUNTS } from "../volumes/prepared-mounts.ts";

export interface FileGuest extends AsyncDisposable {
  readonly agent: AgentClient;
}

export interface FileGuestOptions {
  readonly record: ContainerRecord;
  readonly runDirectory: RunDirectory;
  readonly dataRoot: string;
  readonly extents: PreparedImage["extents"];
  readonly writableDisk: string | undefined;
  readonly parts: EngineParts;
  readonly deadlines: GuestDeadlines;
  readonly onEvent: EventSink;
}

/** Boots a machine that mounts the container and starts nothing in it; it dies with this process. */
export async function bootFileGuest(options: FileGuestOptions): Promise<FileGuest> {
  const { record, parts, deadlines, runDirectory } = options;
  const { id: container, config } = record;
  await using undo = new AsyncDisposableStack();
  undo.use(runDirectory);
  const { hypervisor } = await parts.openHypervisor(config.machine, options.dataRoot);
  const mounts = await prepareVolumes(record, options.dataRoot, runDirectory.path).catch(
    (error: Error) => {
      const text = `its files are without its volumes: ${error.message}`;
      options.onEvent({ type: "warning", container, text });
      return NO_MOUNTS;
    },
  );
  const { agent, machine } = undo.use(
    await bootMachine({
      container,
      hypervisor,
      artifacts: parts.findArtifacts(),
      shape: machineShape({}, hypervisor.accelerator),
      extents: options.extents,
      writableDisk: options.writableDisk,
      runDirectory: runDirectory.path,
      hostname: containerHostname(container, config),
      mounts,
      deadlines,
      onEvent: options.onEvent,
      signal: undefined,
    }),
  );
  runDirectory.noteMachine(machine.pid);
  const spec = { ...containerSpec(container, config), resources: {}, mounts: [...mounts.specs] };
  await withDeadline(agent.request({ type: "container.create", container, spec }), {
    what: "making the container",
    milliseconds: creationDeadline(deadlines.container, spec.mounts),
  });
  const held = undo.move();
  return {
    agent,
    [Symbol.asyncDispose]: async () => {
      const ending = { what: "shutting down", milliseconds: deadlines.shutdown };
      try {
        await withDeadline(agent.request({ type: "machine.shutdown" }), ending);
        await withDeadline(machine.exit, ending);
      } finally {
        await held.disposeAsync();
      }
    },
  };
}

/** Lends a guest until it is disposed of. @returns when it is gone */
export async function lendGuest(
  boot: () => Promise<FileGuest>,
  onGuest: (guest: FileGuest) => void,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  try {
    await using guest = await boot();
    const dispose = () => {
      done.resolve();
      return gone.promise;
    };
    onGuest({ agent: guest.agent, [Symbol.asyncDispose]: dispose });
    await done.promise;
  } finally {
    gone.resolve();
  }
}

/** A running container's own guest stays when the work is done. */
export function borrowedGuest(agent: AgentClient): FileGuest {
  return { agent, [Symbol.asyncDispose]: async () => {} };
}
