/** Containers, their files and further commands in them, as the API server asks a `Daemon` for them. */

import {
  pauseContainer,
  unpauseContainer,
  updateContainer,
} from "../../engine/daemon/change-container.ts";
import { createExec, execView, startExec } from "../../engine/daemon/container-exec.ts";
import {
  changes,
  exportTar,
  readArchive,
  statPath,
  writeArchive,
} from "../../engine/daemon/container-files.ts";
import type { Daemon } from "../../engine/daemon/daemon.ts";
import { processTable } from "../../engine/daemon/top.ts";
import type { ContainerCalls, ExecCalls, FileCalls } from "./daemon-engine.ts";

export function servedContainers(daemon: Daemon): ContainerCalls {
  return {
    list: async (caller) => daemon.list(caller).map((container) => container.view()),
    find: async (reference, caller) => daemon.find(reference, caller).view(),
    create: async (config, caller, { signal }) => {
      const { id, record } = await daemon.create(config, caller, signal);
      return { id, name: record.name };
    },
    start: async (id) => daemon.get(id).start(),
    attach: async (id, _caller, options) => daemon.get(id).streams.attach(options.streams, options),
    wait: async (id, _caller, options) => daemon.get(id).wait(options),
    stop: async (id, _caller, options) => daemon.get(id).stop(options),
    restart: async (id, _caller, options) => daemon.get(id).restart(options),
    kill: async (id, _caller, signal) => daemon.get(id).kill(signal),
    pause: async (id) => pauseContainer(daemon.get(id)),
    unpause: async (id) => unpauseContainer(daemon.get(id)),
    rename: async (id, _caller, name) => daemon.get(id).rename(name),
    remove: async (id, _caller, options) => daemon.get(id).remove(options),
    resize: async (id, _caller, size) => daemon.get(id).resize(size),
    top: async (id, _caller, psArguments) => {
      const { run } = daemon.get(id);
      return processTable(await run.processes(), psArguments, run.bootedAt);
    },
    stats: async (id) => daemon.get(id).run.stats(),
    logs: (id, _caller, request) => daemon.get(id).streams.logs(request),
    update: async (id, _caller, update) => updateContainer(daemon.get(id), update),
    sizes: async (id) => daemon.get(id).kept.sizes(),
  };
}

export function servedFiles(daemon: Daemon): FileCalls {
  return {
    changes: async (id) => changes(daemon.get(id)),
    exportTar: async (id, _caller, signal) => exportTar(daemon.get(id), signal),
    statPath: async (id, _caller, path) => statPath(daemon.get(id), path),
    readArchive: async (id, _caller, { path, signal }) => readArchive(daemon.get(id), path, signal),
    writeArchive: async (id, _caller, options) => writeArchive(daemon.get(id), options),
  };
}

export function servedExecs(daemon: Daemon): ExecCalls {
  return {
    createExec: async (container, _caller, config) => createExec(daemon.get(container), config),
    findExec: async (id) => execView(daemon.ofExec(id), id),
    startExec: async (id, _caller, options) => startExec(daemon.ofExec(id), id, options),
    resizeExec: async (id, _caller, size) => daemon.ofExec(id).run.execs.resize(id, size),
  };
}
