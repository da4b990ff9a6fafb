/** Further commands in a running container. */

import type { ExecConfig, ExecView } from "../../../engine/daemon/model.ts";
import { engineError } from "../../../engine/errors.ts";
import { parseDetachKeys } from "../../docker/detach-keys.ts";
import { apiError } from "../../docker/errors.ts";
import {
  boolean,
  type Infer,
  integer,
  list,
  object,
  readBySchema,
  string,
} from "../../docker/schema.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";
import { streamSession } from "../stream-session.ts";
import { terminalSize } from "./container-state.ts";

export const execRoutes: readonly Route[] = [
  { method: "POST", pattern: "/containers/{id}/exec", handle: create },
  { method: "POST", pattern: "/exec/{id}/start", hijacks: true, handle: start },
  { method: "POST", pattern: "/exec/{id}/resize", handle: resize },
  { method: "GET", pattern: "/exec/{id}/json", handle: inspect },
];

const createBody = object({
  User: string,
  Privileged: boolean,
  Tty: boolean,
  ConsoleSize: list(integer),
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  DetachKeys: string,
  Env: list(string),
  WorkingDir: string,
  Cmd: list(string),
});
export const execCreateBody = createBody;

export const execStartBody = object({
  Detach: boolean,
  Tty: boolean,
  ConsoleSize: list(integer),
});

async function create(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const body = readBySchema(createBody, await call.json());
  if (body.Cmd.length === 0) throw apiError("BAD_REQUEST", "No exec command specified");
  if (body.DetachKeys !== "") parseDetachKeys(body.DetachKeys);
  const { id, state } = await call.container();
  if (state.status === "paused") {
    throw conflict(`container ${id} is paused, unpause the container before exec`);
  }
  if (state.status !== "running") throw conflict(`container ${id} is not running`);
  const exec = await engine.createExec(id, caller, execConfig(body));
  reply.json(201, { Id: exec });
}

function execConfig(body: Infer<typeof createBody>): ExecConfig {
  const size = consoleSize(body.ConsoleSize);
  return {
    command: body.Cmd,
    env: body.Env,
    ...(body.WorkingDir === "" ? {} : { workingDirectory: body.WorkingDir }),
    ...(body.User === "" ? {} : { user: body.User }),
    terminal: body.Tty,
    privileged: body.Privileged,
    attach: { stdin: body.AttachStdin, stdout: body.AttachStdout, stderr: body.AttachStderr },
    ...(body.DetachKeys === "" ? {} : { detachKeys: body.DetachKeys }),
    ...(size === undefined ? {} : { terminalSize: size }),
  };
}

async function start(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const body = readBySchema(execStartBody, await call.json());
  const exec = await ownExec(call);
  if (exec.status !== "created") {
    const state = exec.status === "running" ? "already running" : "has already run";
    throw conflict(`exec command ${exec.id} ${state}`);
  }
  const { config } = exec;
  const size = consoleSize(body.ConsoleSize) ?? config.terminalSize;
  const sized = size === undefined ? {} : { terminalSize: size };
  if (body.Detach) {
    await engine.startExec(exec.id, caller, sized);
    reply.empty(200);
    return;
  }
  await streamSession({
    call,
    terminal: config.terminal,
    wants: config.attach,
    detachKeys: config.detachKeys ?? "",
    join: (streams) => engine.startExec(exec.id, caller, { streams, ...sized }),
  });
}

async function resize(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const size = terminalSize(call);
  const exec = await ownExec(call);
  await engine.resizeExec(exec.id, caller, size);
  reply.empty(200);
}

async function inspect(call: ApiCall): Promise<void> {
  const exec = await ownExec(call);
  call.reply.json(200, execJson(exec));
}

/** @throws DvmError `NO_SUCH_EXEC` for those in others' containers too */
async function ownExec(call: ApiCall): Promise<ExecView> {
  const id = call.parameter("id");
  const exec = await call.engine.findExec(id);
  try {
    await call.container(exec.container);
  } catch {
    throw apiError("NO_SUCH_EXEC", `no such exec instance: ${id}`);
  }
  return exec;
}

function execJson({ id, container, config, status, exitCode, pid }: ExecView) {
  const [entrypoint = "", ...args] = config.command;
  return {
    ID: id,
    Running: status === "running",
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: config.terminal,
      entrypoint,
      arguments: args,
      privileged: config.privileged,
      ...(config.user === undefined ? {} : { user: config.user }),
    },
    OpenStdin: config.attach.stdin,
    OpenStderr: config.attach.stderr,
    OpenStdout: config.attach.stdout,
    CanRemove: status === "exited",
    ContainerID: container,
    DetachKeys: "",
    Pid: pid ?? 0,
  };
}

/** Height and width; anything that is no size of a terminal is none. */
function consoleSize(size: readonly number[]): ExecConfig["terminalSize"] {
  const [rows = 0, columns = 0] = size;
  const fits = (side: number) => side > 0 && side <= 0xffff;
  return fits(rows) && fits(columns) ? { rows, columns } : undefined;
}

function conflict(message: string): Error {
  return engineError("WRONG_STATE", message);
}
