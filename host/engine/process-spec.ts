/** What the container's first process is: the image's config and the user's wishes, merged as Docker merges them. */

import type { ProcessSpec, Stdio, TerminalSize } from "#protocol";
import type { RunConfig } from "../image/config.ts";
import type { ContainerConfig } from "./container-config.ts";
import { engineError } from "./errors.ts";
import { normaliseCapability } from "./validate-config.ts";

/** Docker's search path for an image that names none (moby oci.DefaultPathEnv). */
const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ProcessSpecOptions {
  readonly config: ContainerConfig;
  readonly image: RunConfig;
  readonly hostname: string;
  readonly stdio: Stdio;
  /** size of the terminal, when there is one */
  readonly terminal?: TerminalSize;
}

/** @throws DvmError `CONFIG_INVALID` when neither image nor user says what to run */
export function processSpec(options: ProcessSpecOptions): ProcessSpec {
  const { config, image } = options;
  return {
    args: commandLine(config, image),
    env: environment(options),
    cwd: config.workingDirectory ?? (image.workingDir || "/"),
    user: config.user ?? image.user,
    additionalGroups: config.groupAdd,
    ...(config.terminal ? { terminal: options.terminal ?? { rows: 0, columns: 0 } } : {}),
    capAdd: config.capAdd.map(normaliseCapability),
    capDrop: config.capDrop.map(normaliseCapability),
    privileged: config.privileged,
    noNewPrivileges: config.noNewPrivileges,
    seccomp: config.seccomp,
    rlimits: config.ulimits,
    ...(config.oomScoreAdj === undefined ? {} : { oomScoreAdj: config.oomScoreAdj }),
    stdio: options.stdio,
  };
}

/**
 * Entrypoint and command. A new entrypoint makes the image's command void; a new command does not touch the
 * entrypoint (moby daemon/commit.go merge).
 */
export function commandLine(config: ContainerConfig, image: RunConfig): string[] {
  const entrypoint = config.entrypoint ?? image.entrypoint ?? [];
  const imageCommand = config.entrypoint === undefined ? (image.cmd ?? []) : [];
  const command = config.command.length > 0 ? config.command : imageCommand;
  const args = [...entrypoint, ...command];
  if (args.length === 0) {
    const hint = "the image names no program: add one behind its name";
    throw engineError("CONFIG_INVALID", "no command specified", { hint });
  }
  return args;
}

/**
 * Docker's own variables, then the image's, then the user's, a later one in the place of an earlier one of its
 * name; a name without a value removes it (moby container.ReplaceOrAppendEnvValues). HOME is the guest's to
 * add, since it depends on the image's /etc/passwd.
 */
function environment({ config, image, hostname }: ProcessSpecOptions): string[] {
  const variables = new Map<string, string>();
  const defaults = [
    DEFAULT_PATH,
    `HOSTNAME=${hostname}`,
    ...(config.terminal ? ["TERM=xterm"] : []),
  ];
  for (const variable of [...defaults, ...image.env, ...config.env]) {
    const equals = variable.indexOf("=");
    if (equals < 0) variables.delete(variable);
    else variables.set(variable.slice(0, equals), variable);
  }
  return [...variables.values()];
}
