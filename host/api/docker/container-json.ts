/** A container as `GET /containers/{id}/json` and `GET /containers/json` tell it, API 1.47. */

import type { ContainerSizes, ContainerView, HealthState } from "../../engine/daemon/model.ts";
import { storageDriverOf } from "../../engine/storage/storage-driver.ts";
import { networkSettingsJson, networksJson, summaryPorts } from "./container-network-json.ts";
import { effectiveLimitsJson } from "./effective-limits.ts";
import { humanDuration } from "./human-duration.ts";
import { mergedConfig, pathAndArguments } from "./merged-config.ts";
import { mountsJson } from "./mounts.ts";
import { graphDriverJson } from "./storage-options.ts";
import { configJson, hostConfigJson } from "./write-create.ts";

/** Go's zero time, which stands for "never". */
export const ZERO_TIME = "0001-01-01T00:00:00Z";
/** Size of /dev/shm unless told otherwise, in `bytes` (moby config.DefaultShmSize). */
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

/** The whole of it. */
export function containerJson(
  view: ContainerView,
  sizes?: ContainerSizes,
): Record<string, unknown> {
  const config = mergedConfig(view);
  const { path, args } = pathAndArguments(config);
  return {
    Id: view.id,
    Created: view.created,
    Path: path,
    Args: args,
    State: stateJson(view),
    Image: imageId(view),
    ResolvConfPath: "",
    HostnamePath: "",
    HostsPath: "",
    LogPath: view.logPath ?? "",
    Name: `/${view.name}`,
    RestartCount: view.restartCount ?? 0,
    Driver: storageDriverOf(config),
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: view.execs?.length ? view.execs : null,
    HostConfig: { ...hostConfigJson(config), ShmSize: config.shmSize ?? DEFAULT_SHM_SIZE },
    GraphDriver: graphDriverJson(config),
    EffectiveLimits: effectiveLimitsJson(config),
    ...sizeFields(sizes),
    Mounts: mountsJson(view.mounts),
    Config: configJson(config),
    NetworkSettings: networkSettingsJson({ ...view, config }),
  };
}

/** One of a list. @param now since the epoch, in `milliseconds` */
export function containerSummaryJson(
  view: ContainerView,
  options: { readonly now: number; readonly sizes?: ContainerSizes },
): Record<string, unknown> {
  const config = mergedConfig(view);
  return {
    Id: view.id,
    Names: [`/${view.name}`],
    Image: view.config.image,
    ImageID: imageId(view),
    Command: commandText(view),
    Created: Math.trunc(Date.parse(view.created) / 1000),
    Ports: summaryPorts({ ...view, config }),
    ...sizeFields(options.sizes),
    Labels: config.labels,
    State: view.state.status,
    Status: statusText(view, options.now),
    HostConfig: { NetworkMode: view.config.network },
    NetworkSettings: { Networks: networksJson(view) },
    Mounts: mountsJson(view.mounts),
  };
}

/** The words of the STATUS column (moby container/state.go). */
export function statusText({ state }: ContainerView, now: number): string {
  const since = (time: string | undefined) =>
    humanDuration(time === undefined ? 0 : now - Date.parse(time));
  switch (state.status) {
    case "running":
      return `Up ${since(state.startedAt)}${healthText(state.health)}`;
    case "paused":
      return `Up ${since(state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode ?? 0}) ${since(state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "created":
      return "Created";
    case "exited":
      return `Exited (${state.exitCode ?? 0}) ${since(state.finishedAt)} ago`;
  }
}

export function imageId({ image }: ContainerView): string {
  return image.imageId ?? image.manifestDigest;
}

function healthText(health: HealthState | undefined): string {
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

/** Program and arguments; those with spaces are quoted (moby container/view.go). */
function commandText(view: ContainerView): string {
  const { path, args } = pathAndArguments(mergedConfig(view));
  return [path, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}

function stateJson({ state }: ContainerView): Record<string, unknown> {
  const { status, health } = state;
  return {
    Status: status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: state.oomKilled,
    Dead: status === "dead",
    Pid: state.pid ?? 0,
    ExitCode: state.exitCode ?? 0,
    Error: state.error ?? "",
    StartedAt: state.startedAt ?? ZERO_TIME,
    FinishedAt: state.finishedAt ?? ZERO_TIME,
    ...(health === undefined ? {} : { Health: healthJson(health) }),
  };
}

function healthJson({ status, failingStreak, log }: HealthState): Record<string, unknown> {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function sizeFields(sizes: ContainerSizes | undefined): Record<string, number> {
  return sizes === undefined ? {} : { SizeRw: sizes.writable, SizeRootFs: sizes.whole };
}
