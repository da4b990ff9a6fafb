/** From a configuration to Docker's Config and HostConfig: what a client sends and what `inspect` shows. */

import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import { writeDeviceRates } from "./device-rates.ts";
import { writeDevices } from "./devices.ts";
import { extraHostText } from "./extra-hosts.ts";
import { writeMounts } from "./mounts.ts";
import { policyAnnotations, writeNetworking } from "./networking.ts";
import { ACCELERATOR_ANNOTATION, BACKEND_ANNOTATION } from "./read-create.ts";
import { securityOptionTexts } from "./security-options.ts";
import { writeStorageOptions } from "./storage-options.ts";

/** The body of `POST /containers/create`. Name and platform travel in the query. */
export function writeCreate(config: DaemonContainerConfig): Record<string, unknown> {
  return {
    ...configJson(config),
    HostConfig: hostConfigJson(config),
    NetworkingConfig: { EndpointsConfig: writeNetworking(config).endpoints },
  };
}

export function configJson(config: DaemonContainerConfig): Record<string, unknown> {
  const { attach } = config;
  return {
    Hostname: config.hostname ?? "",
    Domainname: config.domainname ?? "",
    User: config.user ?? "",
    AttachStdin: attach?.stdin ?? false,
    AttachStdout: attach?.stdout ?? false,
    AttachStderr: attach?.stderr ?? false,
    ExposedPorts: setOf(writeNetworking(config).exposed),
    Tty: config.terminal,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce ?? false,
    Env: config.env,
    Cmd: config.command.length > 0 ? config.command : null,
    ...(config.healthcheck === undefined
      ? {}
      : { Healthcheck: healthcheckJson(config.healthcheck) }),
    Image: config.image,
    Volumes: setOrNull(writeMounts(config).volumes),
    WorkingDir: config.workingDirectory ?? "",
    Entrypoint: config.entrypoint ?? null,
    OnBuild: null,
    Labels: config.labels,
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
    ...(config.stopTimeout === undefined ? {} : { StopTimeout: config.stopTimeout }),
  };
}

export function hostConfigJson(config: DaemonContainerConfig): Record<string, unknown> {
  return {
    ...writeMounts(config).host,
    ContainerIDFile: "",
    LogConfig: { Type: config.log?.driver ?? "json-file", Config: config.log?.options ?? {} },
    ...writeNetworking(config).host,
    RestartPolicy: {
      Name: config.restartPolicy?.name ?? "no",
      MaximumRetryCount: config.restartPolicy?.maximumRetryCount ?? 0,
    },
    AutoRemove: config.autoRemove,
    ConsoleSize: [config.terminalSize?.rows ?? 0, config.terminalSize?.columns ?? 0],
    Annotations: annotations(config),
    ...namespaceFields(config),
    OomScoreAdj: config.oomScoreAdj ?? 0,
    Privileged: config.privileged,
    ReadonlyRootfs: config.readOnly,
    SecurityOpt: securityOptionTexts(config, config.privileged),
    ...writeStorageOptions(config),
    Tmpfs: Object.fromEntries(
      config.tmpfs.map(({ destination, options }) => [destination, options.join(",")]),
    ),
    ShmSize: config.shmSize ?? 0,
    Sysctls: config.sysctls,
    Runtime: "dvm",
    Isolation: "",
    ...limitFields(config),
    ...writeDevices(config),
    Init: config.init,
  };
}

function namespaceFields(config: DaemonContainerConfig) {
  return {
    CapAdd: config.capAdd,
    CapDrop: config.capDrop,
    CgroupnsMode: "private",
    Dns: config.dns.servers,
    DnsOptions: config.dns.options,
    DnsSearch: config.dns.search,
    ExtraHosts: config.extraHosts.map(extraHostText),
    GroupAdd: config.groupAdd,
    IpcMode: config.ipcMode ?? "private",
    Cgroup: "",
    Links: null,
    PidMode: config.pidMode ?? "",
    UTSMode: "",
    UsernsMode: config.userNamespace ?? "",
  };
}

function limitFields({ resources, ulimits }: DaemonContainerConfig) {
  return {
    CpuShares: resources.cpuShares ?? 0,
    Memory: resources.memory ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CgroupParent: "",
    BlkioWeight: resources.blkioWeight ?? 0,
    CpuPeriod: resources.cpuPeriod ?? 0,
    CpuQuota: resources.cpuQuota ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources.cpusetCpus ?? "",
    CpusetMems: resources.cpusetMems ?? "",
    ...writeDeviceRates(resources),
    DeviceRequests: null,
    MemoryReservation: resources.memoryReservation ?? 0,
    MemorySwap: resources.memorySwap ?? 0,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? null,
    PidsLimit: resources.pids ?? null,
    Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
}

/** The choice of the machine is told as the annotation that makes it. */
function annotations(config: DaemonContainerConfig): Record<string, string> {
  const { machine, annotations: own } = config;
  return {
    ...own,
    ...policyAnnotations(config),
    ...(machine.accelerator === "auto" ? {} : { [ACCELERATOR_ANNOTATION]: machine.accelerator }),
    ...(machine.backend === "auto" ? {} : { [BACKEND_ANNOTATION]: machine.backend }),
  };
}

export function healthcheckJson(check: NonNullable<DaemonContainerConfig["healthcheck"]>) {
  return {
    Test: check.test,
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.startPeriod,
    StartInterval: check.startInterval,
    Retries: check.retries,
  };
}

function setOrNull(keys: readonly string[]): Record<string, object> | null {
  return keys.length > 0 ? setOf(keys) : null;
}

/** Go's set: an object whose values are empty objects. */
export function setOf(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}
