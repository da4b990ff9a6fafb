/** The engine as the API server asks for it: containers, execs and events of a `Daemon`, images of an `ImageEngine`. */

import { release } from "node:os";
import { pauseContainer, unpauseContainer } from "../../engine/daemon/change-container.ts";
import { layerTar } from "../../engine/daemon/container-files.ts";
import type { Daemon } from "../../engine/daemon/daemon.ts";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { ImageEngine } from "../../engine/images/image-engine.ts";
import type { RunJob } from "../../engine/images/image-worker.ts";
import type { CommitCall, DaemonEngine, SystemCalls } from "./daemon-engine.ts";
import { servedContainers, servedExecs, servedFiles } from "./served-containers.ts";
import { ServedImages } from "./served-images.ts";
import { servedNetworks } from "./served-networks.ts";
import { ServedVolumes } from "./served-volumes.ts";
import { servedSnapshots } from "./snapshot-calls.ts";

export interface ServedEngineOptions {
  readonly daemon: Daemon;
  /** whether what Docker calls experimental is served */
  readonly experimental?: boolean;
  readonly images: ImageEngine;
  /** does what takes long with images */
  readonly runJob: RunJob;
  /** version of dvm */
  readonly version: string;
  readonly dataRoot: string;
}

export function servedEngine(options: ServedEngineOptions): DaemonEngine {
  const { daemon, dataRoot, experimental = false } = options;
  const images = new ServedImages({
    images: options.images,
    runJob: options.runJob,
    events: daemon.events,
    containersOf: (caller) => new Set(daemon.list(caller).map(({ id }) => id)),
  });
  const volumes = new ServedVolumes(dataRoot, daemon.events);
  return {
    ...servedContainers(daemon),
    ...servedFiles(daemon),
    ...servedExecs(daemon),
    ...servedCommit(options, images),
    ...servedNetworks(daemon, dataRoot),
    ...servedSystem(options, images),
    images: () => images,
    volumes: () => volumes,
    snapshots: () => servedSnapshots(daemon, experimental),
  };
}

function servedCommit({ daemon, images }: ServedEngineOptions, served: ServedImages): CommitCall {
  return {
    commit: async (container, caller, options) => {
      const found = daemon.get(container);
      const { name, author, changes, comment } = options;
      const pauses = options.pause && found.record.state.status === "running";
      if (pauses) await pauseContainer(found);
      try {
        const id = await images.for(caller.uid).commit(await layerTar(found), {
          base: found.record.image.manifestDigest,
          section: committedSection(found.config),
          changes,
          author,
          message: comment,
          ...(name === undefined ? {} : { name }),
        });
        found.tell("commit", { imageID: id, comment });
        if (name !== undefined) served.tellNamed(caller, id, name);
        return id;
      } finally {
        if (pauses) await unpauseContainer(found).catch(() => {});
      }
    },
  };
}

function servedSystem(options: ServedEngineOptions, images: ServedImages): SystemCalls {
  const { daemon, dataRoot, version, experimental = false } = options;
  const told = { version, kernel: release(), components: [], experimental };
  return {
    version: async () => told,
    info: async (caller) => {
      const listed = await images.list(caller);
      const storage = await daemon.storageInfo();
      const registries = await images.registries();
      const { id } = daemon;
      return { ...told, id, dataRoot, images: listed.length, storage, registries, warnings: [] };
    },
    diskUsage: async (caller) => {
      const usage = await images.usage(caller);
      const containers = daemon
        .list(caller)
        .map(async ({ id, kept }) => ({ id, sizes: await kept.sizes() }));
      const { layers, images: used } = usage;
      return { layers, images: used, containers: await Promise.all(containers) };
    },
    events: (wanted) => daemon.events.events(wanted),
  };
}

/** What the container says in place of its image (moby daemon/commit.go). */
function committedSection(config: DaemonContainerConfig) {
  const { command, entrypoint, user, workingDirectory, labels, env } = config;
  return {
    ...(command.length > 0 ? { Cmd: command } : {}),
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(user === undefined ? {} : { User: user }),
    ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    ...(env.length > 0 ? { Env: env.filter((each) => each.includes("=")) } : {}),
  };
}
