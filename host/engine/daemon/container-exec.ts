/** Further commands in a container, as its users ask for them. */

import { engineError } from "../errors.ts";
import type { ClientAttachment } from "./client-attachment.ts";
import type { StartExecOptions } from "./execs.ts";
import type { ManagedContainer } from "./managed-container.ts";
import type { ExecConfig, ExecView } from "./model.ts";

/** Of a command in an event, in characters. */
const MAX_SHOWN = 4096;

/** @returns its id @throws DvmError `WRONG_STATE` unless the container runs and is not paused */
export function createExec(container: ManagedContainer, config: ExecConfig): string {
  if (container.record.state.status === "paused") {
    throw engineError(
      "WRONG_STATE",
      `container ${container.id} is paused, unpause the container before exec`,
    );
  }
  const id = container.run.execs.create(config);
  container.tell(`exec_create: ${shown(config.command)}`, { execID: id });
  return id;
}

/** @throws DvmError `NO_SUCH_EXEC` */
export function execView(container: ManagedContainer, id: string): ExecView {
  const view = container.run.execs.view(id);
  if (view === undefined) throw engineError("NO_SUCH_EXEC", `no such exec instance: ${id}`);
  return view;
}

/** @throws DvmError `NO_SUCH_EXEC`, `WRONG_STATE` when it was started before */
export async function startExec(
  container: ManagedContainer,
  id: string,
  options: StartExecOptions,
): Promise<ClientAttachment> {
  const { execs } = container.run;
  const { command } = execView(container, id).config;
  const attachment = await execs.start(id, options);
  container.tell(`exec_start: ${shown(command)}`, { execID: id });
  void execs.ended(id).then(({ exitCode }) => {
    container.tell("exec_die", { execID: id, exitCode: `${exitCode}` });
  });
  return attachment;
}

/** The command in an event; events are kept after what they tell of. */
function shown(command: readonly string[]): string {
  return command.join(" ").slice(0, MAX_SHOWN);
}
