/** The body of `POST /containers/create`, API 1.47 (moby api/types/container: Config and HostConfig). */

import {
  any,
  boolean,
  type Infer,
  integer,
  list,
  map,
  object,
  optional,
  string,
} from "./schema.ts";

const healthcheckBody = object({
  Test: list(string),
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
});
export type HealthcheckBody = Infer<typeof healthcheckBody>;

const ulimitBody = object({ Name: string, Soft: integer, Hard: integer });

export const restartPolicyBody = object({ Name: string, MaximumRetryCount: integer });

const mountBody = object({
  Type: string,
  Source: string,
  Target: string,
  ReadOnly: boolean,
  BindOptions: any,
  VolumeOptions: any,
  TmpfsOptions: optional(object({ SizeBytes: integer, Mode: integer, Options: any })),
});
export type MountBody = Infer<typeof mountBody>;

const deviceRate = object({ Path: string, Rate: integer });

const portBinding = object({ HostIp: string, HostPort: string });

/** A container's place in a network; what a daemon tells of one, and its clients send back, is passed over. */
export const endpointBody = object({
  IPAMConfig: optional(object({ IPv4Address: string, IPv6Address: string })),
  Links: list(string),
  Aliases: list(string),
  MacAddress: string,
});
export type EndpointBody = Infer<typeof endpointBody>;

/** Limits, which `POST /containers/{id}/update` has too. */
export const resourceFields = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: string,
  BlkioWeight: integer,
  BlkioWeightDevice: list(any),
  BlkioDeviceReadBps: list(deviceRate),
  BlkioDeviceWriteBps: list(deviceRate),
  BlkioDeviceReadIOps: list(deviceRate),
  BlkioDeviceWriteIOps: list(deviceRate),
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: string,
  CpusetMems: string,
  Devices: list(object({ PathOnHost: string, PathInContainer: string, CgroupPermissions: string })),
  DeviceCgroupRules: list(string),
  DeviceRequests: list(any),
  KernelMemory: integer,
  KernelMemoryTCP: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: optional(integer),
  OomKillDisable: optional(boolean),
  PidsLimit: optional(integer),
  Ulimits: list(ulimitBody),
} as const;

const hostConfigBody = object({
  ...resourceFields,
  Binds: list(string),
  ContainerIDFile: string,
  LogConfig: object({ Type: string, Config: map(string) }),
  NetworkMode: string,
  PortBindings: map(list(portBinding)),
  RestartPolicy: restartPolicyBody,
  AutoRemove: boolean,
  VolumeDriver: string,
  VolumesFrom: list(string),
  ConsoleSize: list(integer),
  Annotations: map(string),
  CapAdd: list(string),
  CapDrop: list(string),
  CgroupnsMode: string,
  Dns: list(string),
  DnsOptions: list(string),
  DnsSearch: list(string),
  ExtraHosts: list(string),
  GroupAdd: list(string),
  IpcMode: string,
  Cgroup: string,
  Links: list(string),
  OomScoreAdj: integer,
  PidMode: string,
  Privileged: boolean,
  PublishAllPorts: boolean,
  ReadonlyRootfs: boolean,
  SecurityOpt: list(string),
  StorageOpt: map(string),
  Tmpfs: map(string),
  UTSMode: string,
  UsernsMode: string,
  ShmSize: integer,
  Sysctls: map(string),
  Runtime: string,
  Isolation: string,
  Mounts: list(mountBody),
  MaskedPaths: optional(list(string)),
  ReadonlyPaths: optional(list(string)),
  Init: optional(boolean),
});
export type HostConfigBody = Infer<typeof hostConfigBody>;

/** A command as a list, or, as some clients write it, as one word. */
const words = any;

export const createBody = object({
  Hostname: string,
  Domainname: string,
  User: string,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  ExposedPorts: map(any),
  Tty: boolean,
  OpenStdin: boolean,
  StdinOnce: boolean,
  Env: list(string),
  Cmd: words,
  Healthcheck: optional(healthcheckBody),
  ArgsEscaped: boolean,
  Image: string,
  Volumes: map(any),
  WorkingDir: string,
  Entrypoint: words,
  NetworkDisabled: boolean,
  MacAddress: string,
  OnBuild: list(string),
  Labels: map(string),
  StopSignal: string,
  StopTimeout: optional(integer),
  Shell: list(string),
  HostConfig: hostConfigBody,
  NetworkingConfig: object({ EndpointsConfig: map(endpointBody) }),
});
export type CreateBody = Infer<typeof createBody>;
