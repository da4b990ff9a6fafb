/** From the body of `POST /containers/create` to the configuration that the engine is asked for. */

import type { MachineChoice, ResourceConfig } from "../../engine/container-config.ts";
import type { DaemonContainerConfig, LogConfig, RestartPolicy } from "../../engine/daemon/model.ts";
import { swapBytes } from "../../engine/volumes/swap-disk.ts";
import type { Healthcheck } from "../../image/config.ts";
import type { CreateBody, HealthcheckBody, HostConfigBody } from "./create-body.ts";
import { readDeviceRates } from "./device-rates.ts";
import { readDevices } from "./devices.ts";
import { apiError } from "./errors.ts";
import { extraHostLine } from "./extra-hosts.ts";
import { readMounts } from "./mounts.ts";
import { readNetworking } from "./networking.ts";
import { securityOptions } from "./security-options.ts";
import { readStorageOptions } from "./storage-options.ts";
import { tmpfsMounts } from "./tmpfs.ts";
import { refuseUnsupported } from "./unsupported.ts";

/** Annotations that choose the virtual machine, the one thing that Docker's API has no field for. */
export const ACCELERATOR_ANNOTATION = "dvm.accel";
export const BACKEND_ANNOTATION = "dvm.vmm";

const ACCELERATORS = ["auto", "kvm", "tcg"] as const;
const BACKENDS = ["auto", "qemu", "kvm"] as const;
const LOG_DRIVERS = ["json-file", "local", "none"] as const;
const RESTART_POLICIES = ["no", "always", "on-failure", "unless-stopped"] as const;

export interface CreateQuery {
  readonly name: string | undefined;
  readonly platform: string | undefined;
}

/** @throws DvmError `BAD_REQUEST`, `UNSUPPORTED`, each naming the field */
export function readCreate(body: CreateBody, query: CreateQuery): DaemonContainerConfig {
  refuseUnsupported(body);
  const host = body.HostConfig;
  if (body.Image === "") throw apiError("BAD_REQUEST", "no image specified");
  return {
    ...processPart(body),
    ...hostPart(host),
    image: body.Image,
    ...readNetworking(body),
    ...readMounts(body),
    ...given("platform", query.platform),
    ...given("name", query.name?.replace(/^\//, "")),
    ...given("terminalSize", terminalSize(host.ConsoleSize)),
    ...given("healthcheck", body.Healthcheck && readHealthcheck(body.Healthcheck)),
    attach: { stdin: body.AttachStdin, stdout: body.AttachStdout, stderr: body.AttachStderr },
    stdinOnce: body.StdinOnce,
    exposedPorts: Object.keys(body.ExposedPorts),
  };
}

type HostPart = Omit<
  DaemonContainerConfig,
  | keyof ReturnType<typeof processPart>
  | "image"
  | "network"
  | "networking"
  | "mounts"
  | "volumesFrom"
>;

function processPart(body: CreateBody) {
  return {
    command: words("Cmd", body.Cmd) ?? [],
    ...given("entrypoint", words("Entrypoint", body.Entrypoint)),
    env: body.Env,
    ...nonEmpty("workingDirectory", body.WorkingDir),
    ...nonEmpty("user", body.User),
    ...nonEmpty("hostname", body.Hostname),
    ...nonEmpty("domainname", body.Domainname),
    terminal: body.Tty,
    openStdin: body.OpenStdin,
    labels: body.Labels,
    ...nonEmpty("stopSignal", body.StopSignal),
    ...given("stopTimeout", body.StopTimeout),
  };
}

function hostPart(host: HostConfigBody): HostPart {
  return {
    groupAdd: host.GroupAdd,
    init: host.Init ?? false,
    readOnly: host.ReadonlyRootfs,
    privileged: host.Privileged,
    ...readDevices(host),
    ...(host.UsernsMode === "private" ? { userNamespace: host.UsernsMode } : {}),
    autoRemove: host.AutoRemove,
    tmpfs: tmpfsMounts(host),
    ...nonZero("shmSize", host.ShmSize),
    ...readStorageOptions(host.StorageOpt),
    resources: readResources(host),
    ulimits: host.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    ...nonZero("oomScoreAdj", host.OomScoreAdj),
    capAdd: host.CapAdd,
    capDrop: host.CapDrop,
    ...securityOptions(host.SecurityOpt, host.Privileged),
    sysctls: host.Sysctls,
    ...given("pidMode", host.PidMode.startsWith("container:") ? host.PidMode : undefined),
    ...given("ipcMode", /^(container:|shareable$)/.test(host.IpcMode) ? host.IpcMode : undefined),
    extraHosts: host.ExtraHosts.map(extraHostLine),
    dns: { servers: host.Dns, search: host.DnsSearch, options: host.DnsOptions },
    machine: machineChoice(host.Annotations),
    annotations: host.Annotations,
    restartPolicy: readRestartPolicy(host.RestartPolicy, host.AutoRemove),
    log: logConfig(host.LogConfig),
  };
}

/** Limits; those that are zero are not set. */
export function readResources(
  host: Pick<
    HostConfigBody,
    | "Memory"
    | "MemoryReservation"
    | "MemorySwap"
    | "MemorySwappiness"
    | "NanoCpus"
    | "CpuShares"
    | "CpuQuota"
    | "CpuPeriod"
    | "CpusetCpus"
    | "CpusetMems"
    | "BlkioWeight"
    | `BlkioDevice${"Read" | "Write"}${"Bps" | "IOps"}`
    | "PidsLimit"
  >,
): ResourceConfig {
  return {
    ...nonZero("memory", host.Memory),
    ...nonZero("memoryReservation", host.MemoryReservation),
    ...nonZero("memorySwap", host.MemorySwap),
    ...given("memorySwappiness", swappinessOf(host)),
    ...nonZero("nanoCpus", host.NanoCpus),
    ...nonZero("cpuShares", host.CpuShares),
    ...nonZero("cpuQuota", host.CpuQuota),
    ...nonZero("cpuPeriod", host.CpuPeriod),
    ...nonEmpty("cpusetCpus", host.CpusetCpus),
    ...nonEmpty("cpusetMems", host.CpusetMems),
    ...nonZero("blkioWeight", host.BlkioWeight),
    ...readDeviceRates(host),
    ...nonZero("pids", host.PidsLimit ?? 0),
  };
}

/** What else is asked for is discarded, see `discardedLimits`. */
function swappinessOf({
  Memory: memory,
  MemorySwap: memorySwap,
  MemorySwappiness: swappiness = -1,
}: Pick<HostConfigBody, "Memory" | "MemorySwap" | "MemorySwappiness">): number | undefined {
  return swappiness >= 0 && swapBytes({ memory, memorySwap }) > 0 ? swappiness : undefined;
}

/** @throws DvmError `BAD_REQUEST` with Docker's words */
export function readRestartPolicy(
  policy: HostConfigBody["RestartPolicy"],
  autoRemove: boolean,
): RestartPolicy {
  const { Name, MaximumRetryCount } = policy;
  const name = Name === "" ? "no" : RESTART_POLICIES.find((known) => known === Name);
  if (name === undefined) {
    throw apiError("BAD_REQUEST", `invalid restart policy: unknown policy '${Name.slice(0, 100)}'`);
  }
  if (name !== "on-failure" && MaximumRetryCount !== 0) {
    throw apiError(
      "BAD_REQUEST",
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  }
  if (MaximumRetryCount < 0) {
    throw apiError("BAD_REQUEST", "invalid restart policy: maximum retry count cannot be negative");
  }
  if (name !== "no" && autoRemove) {
    throw apiError("BAD_REQUEST", "can't create 'AutoRemove' container with restart policy");
  }
  return { name, maximumRetryCount: MaximumRetryCount };
}

function readHealthcheck(body: HealthcheckBody): Healthcheck {
  const times = [body.Interval, body.Timeout, body.StartPeriod, body.StartInterval];
  if (times.some((time) => time < 0 || (time > 0 && time < 1_000_000)) || body.Retries < 0) {
    throw apiError(
      "BAD_REQUEST",
      "the times of a Healthcheck cannot be less than 1ms, and Retries cannot be negative",
    );
  }
  return {
    test: body.Test,
    interval: body.Interval,
    timeout: body.Timeout,
    startPeriod: body.StartPeriod,
    startInterval: body.StartInterval,
    retries: body.Retries,
  };
}

/** A list, or one word; null is the image's. */
function words(field: string, value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || !list.every((word) => typeof word === "string")) {
    throw apiError("BAD_REQUEST", `invalid JSON: field ${field} is not a list of strings`);
  }
  return list;
}

function machineChoice(annotations: Readonly<Record<string, string>>): MachineChoice {
  return {
    accelerator: choice(annotations, ACCELERATOR_ANNOTATION, ACCELERATORS),
    backend: choice(annotations, BACKEND_ANNOTATION, BACKENDS),
  };
}

function choice<T extends string>(
  annotations: Readonly<Record<string, string>>,
  key: string,
  known: readonly [T, ...T[]],
): T {
  const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
  const found = value === undefined ? known[0] : known.find((each) => each === value);
  if (found !== undefined) return found;
  throw apiError(
    "BAD_REQUEST",
    `invalid annotation ${key}=${value?.slice(0, 100)}: must be one of ${known.join(", ")}`,
  );
}

function logConfig({ Type, Config }: HostConfigBody["LogConfig"]): LogConfig {
  const driver = Type === "" ? "json-file" : LOG_DRIVERS.find((known) => known === Type);
  if (driver === undefined) {
    throw apiError(
      "BAD_REQUEST",
      `logger: no log driver named '${Type.slice(0, 100)}' is registered`,
    );
  }
  return { driver, options: Config };
}

/** Height and width; zeros are no size. */
function terminalSize(size: readonly number[]): DaemonContainerConfig["terminalSize"] {
  const [rows = 0, columns = 0] = size;
  const fits = (side: number) => side > 0 && side <= 0xffff;
  return fits(rows) && fits(columns) ? { rows, columns } : undefined;
}

type Given<K extends string, T> = { readonly [P in K]?: Exclude<T, undefined> };

function given<K extends string, T>(key: K, value: T | undefined): Given<K, T> {
  return (value === undefined ? {} : { [key]: value }) as Given<K, T>;
}

function nonEmpty<K extends string>(key: K, value: string): Given<K, string> {
  return given(key, value === "" ? undefined : value);
}

function nonZero<K extends string>(key: K, value: number): Given<K, number> {
  return given(key, value === 0 ? undefined : value);
}
