/** What the guest agent is told of a container's processes, from the container's record and the caller's wishes. */

import type { Stdio } from "#protocol";
import type { ContainerRecord } from "../container-record.ts";
import { containerHostname } from "../container-spec.ts";
import { processSpec } from "../process-spec.ts";
import type { DaemonContainerConfig, ExecConfig } from "./model.ts";

/** A container's first process. */
export function initSpec({ id, config, image }: ContainerRecord, stdio: Stdio) {
  const { terminalSize } = config as DaemonContainerConfig;
  return processSpec({
    config,
    image: image.run,
    hostname: containerHostname(id, config),
    stdio,
    ...(terminalSize ? { terminal: terminalSize } : {}),
  });
}

/** A further process is as the first one, but for what its caller says. */
export function execSpec(record: ContainerRecord, stdio: Stdio, exec: ExecConfig) {
  const { config } = record;
  const { workingDirectory, user } = exec;
  const spec = processSpec({
    config: {
      ...config,
      terminal: exec.terminal,
      privileged: exec.privileged || config.privileged,
      env: [...config.env, ...exec.env],
      ...(workingDirectory === undefined ? {} : { workingDirectory }),
      ...(user === undefined ? {} : { user }),
    },
    image: record.image.run,
    hostname: containerHostname(record.id, config),
    stdio,
    ...(exec.terminalSize ? { terminal: exec.terminalSize } : {}),
  });
  return { ...spec, args: [...exec.command] };
}
