/** A container's configuration with its image's defaults filled in, as `inspect` and `ps` tell it. */

import type { ContainerView, DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { RunConfig } from "../../image/config.ts";

/** @returns the configuration; `command` and `entrypoint` are what runs (moby daemon/commit.go merge) */
export function mergedConfig({ id, config, image }: ContainerView): DaemonContainerConfig {
  const { run } = image;
  const imageCommand = config.entrypoint === undefined ? (run.cmd ?? []) : [];
  const entrypoint = config.entrypoint ?? run.entrypoint;
  const healthcheck = config.healthcheck ?? run.healthcheck;
  const stopSignal = config.stopSignal ?? run.stopSignal;
  const stopTimeout = config.stopTimeout ?? run.stopTimeout;
  return {
    ...config,
    hostname: config.hostname ?? id.slice(0, 12),
    user: config.user ?? run.user,
    workingDirectory: config.workingDirectory ?? run.workingDir,
    env: mergedEnvironment(run, config.env),
    labels: { ...run.labels, ...config.labels },
    command: config.command.length > 0 ? config.command : imageCommand,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    exposedPorts: [...new Set([...run.exposedPorts, ...(config.exposedPorts ?? [])])],
  };
}

/** What runs: the program and its arguments. */
export function pathAndArguments(config: DaemonContainerConfig): {
  readonly path: string;
  readonly args: readonly string[];
} {
  const [path = "", ...args] = [...(config.entrypoint ?? []), ...config.command];
  return { path, args };
}

/** Docker's path when the image has none, the image's variables, the user's own; a name alone takes one away. */
function mergedEnvironment(run: RunConfig, own: readonly string[]): string[] {
  const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const variables = new Map<string, string>([["PATH", defaultPath]]);
  for (const variable of [...run.env, ...own]) {
    const equals = variable.indexOf("=");
    if (equals < 0) variables.delete(variable);
    else variables.set(variable.slice(0, equals), variable);
  }
  return [...variables.values()];
}
