/** The daemon about itself: `GET /version`, `GET /info`, `GET /system/df`. */

import { availableParallelism, hostname, totalmem } from "node:os";
import type { ContainerView } from "../../engine/daemon/model.ts";
import type { ImageView } from "../../engine/images/image-view.ts";
import type { DaemonInfo, DaemonVersion, DiskUsage } from "../server/daemon-model.ts";
import { containerSummaryJson } from "./container-json.ts";
import { imageSummaryJson } from "./image-json.ts";

/** Newest and oldest version of the API that is served. */
export const API_VERSION = "1.47";
export const MIN_API_VERSION = "1.41";

/** Go's names of this machine's processor, and uname's. */
const ARCHITECTURES: Readonly<Record<string, readonly [string, string]>> = {
  x64: ["amd64", "x86_64"],
  arm64: ["arm64", "aarch64"],
};
const [GO_ARCHITECTURE, ARCHITECTURE] = ARCHITECTURES[process.arch] ?? [process.arch, process.arch];

export function versionJson(about: DaemonVersion): Record<string, unknown> {
  return {
    Platform: { Name: "dvm" },
    Version: about.version,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: "",
    GoVersion: "",
    Os: "linux",
    Arch: GO_ARCHITECTURE,
    KernelVersion: about.kernel,
    BuildTime: "",
    Components: [
      {
        Name: "Engine",
        Version: about.version,
        Details: {
          ApiVersion: API_VERSION,
          MinAPIVersion: MIN_API_VERSION,
          Os: "linux",
          Arch: GO_ARCHITECTURE,
          KernelVersion: about.kernel,
          Experimental: `${about.experimental === true}`,
        },
      },
      ...about.components.map(({ name, version }) => ({
        Name: name,
        Version: version,
        Details: {},
      })),
    ],
  };
}

export function infoJson(
  about: DaemonInfo,
  containers: readonly ContainerView[],
): Record<string, unknown> {
  const count = (...statuses: readonly string[]) =>
    containers.filter(({ state }) => statuses.includes(state.status)).length;
  const running = count("running", "restarting");
  const paused = count("paused");
  return {
    ExperimentalBuild: about.experimental === true,
    ID: about.id,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: about.images,
    Driver: about.storage.driver,
    DriverStatus: [
      ["Backing Filesystem", about.storage.fileSystem],
      ["Chosen By", about.storage.reason],
      ["Shares Extents", String(about.storage.sharesExtents)],
    ],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "null", "user"],
      Authorization: null,
      Log: ["json-file", "local", "none"],
    },
    ...hostFacts(about),
    ...FEATURES,
    RegistryConfig: registryJson(about.registries),
    DockerRootDir: about.dataRoot,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Labels: [],
    Warnings: about.warnings.length > 0 ? about.warnings : null,
  };
}

/** Loopback is always insecure, as with Docker (moby registry/config.go). */
function registryJson({ insecure, mirrors }: DaemonInfo["registries"]): Record<string, unknown> {
  const entry = (name: string, secure: boolean, own: readonly string[]) => [
    name,
    { Name: name, Mirrors: own, Secure: secure, Official: name === "docker.io" },
  ];
  return {
    InsecureRegistryCIDRs: ["127.0.0.0/8", "::1/128"],
    IndexConfigs: Object.fromEntries([
      entry("docker.io", true, mirrors),
      ...insecure.map((host) => entry(host, false, [])),
    ]),
    Mirrors: mirrors,
  };
}

function hostFacts(about: DaemonInfo): Record<string, unknown> {
  return {
    SystemTime: new Date().toISOString(),
    KernelVersion: about.kernel,
    OperatingSystem: "dvm",
    OSVersion: "",
    OSType: "linux",
    Architecture: ARCHITECTURE,
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    Name: hostname(),
    ServerVersion: about.version,
  };
}

/** What does not depend on the machine: each container has a kernel of the project's own. */
const FEATURES = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  IPv4Forwarding: true,
  BridgeNfIptables: true,
  BridgeNfIp6tables: true,
  OomKillDisable: false,
  Debug: false,
  NFd: 0,
  NGoroutines: 0,
  NEventsListener: 0,
  LoggingDriver: "json-file",
  CgroupDriver: "none",
  CgroupVersion: "2",
  IndexServerAddress: "https://index.docker.io/v1/",
  GenericResources: null,
  Runtimes: { dvm: { path: "dvm" } },
  DefaultRuntime: "dvm",
  Swarm: {
    NodeID: "",
    NodeAddr: "",
    LocalNodeState: "inactive",
    ControlAvailable: false,
    Error: "",
    RemoteManagers: null,
  },
  LiveRestoreEnabled: true,
  Isolation: "",
  InitBinary: "dvm",
  ContainerdCommit: { ID: "" },
  RuncCommit: { ID: "" },
  InitCommit: { ID: "" },
  SecurityOptions: ["name=seccomp,profile=builtin"],
  CDISpecDirs: null,
} as const;

export interface DiskUsageParts {
  readonly usage: DiskUsage;
  readonly images: readonly ImageView[];
  readonly containers: readonly ContainerView[];
  /** since the epoch, in `milliseconds` */
  readonly now: number;
}

export function diskUsageJson({ usage, images, containers, now }: DiskUsageParts) {
  return {
    LayersSize: usage.layers,
    Images: images.map((image) => {
      const share = usage.images.find(({ id }) => id === image.id);
      return { ...imageSummaryJson(image, share?.containers ?? 0), SharedSize: share?.shared ?? 0 };
    }),
    Containers: containers.map((view) => {
      const sizes = usage.containers.find(({ id }) => id === view.id)?.sizes;
      return containerSummaryJson(view, { now, ...(sizes === undefined ? {} : { sizes }) });
    }),
    Volumes: [],
    BuildCache: [],
  };
}
