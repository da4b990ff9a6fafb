/** From the flags of `dvm run` to what the engine is asked for. */

import { resolve } from "node:path";
import type { ContainerConfig, WantedContainer } from "../api/engine-api.ts";
import { cliError } from "./errors.ts";
import { inheritValues, readEnvironmentFile, readLabelFile } from "./parse/environment.ts";
import { parseMemorySize } from "./parse/memory-size.ts";
import { parseSecurityOptions } from "./parse/security-options.ts";
import { parseSignal } from "./parse/signal-name.ts";
import { parseStorageDriver } from "./parse/storage-driver.ts";
import { checkPullPolicy, type RunValues } from "./run-flags.ts";

export interface RunConfigOptions {
  readonly values: RunValues;
  readonly image: string;
  readonly command: readonly string[];
  /** dvm's own environment, which `--env NAME` takes values from */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** @throws DvmError for flags that contradict each other, and files that cannot be read */
export function runConfig(
  options: RunConfigOptions,
): ContainerConfig & Pick<WantedContainer, "pull"> {
  const { values, environment } = options;
  const { seccomp, noNewPrivileges } = parseSecurityOptions(values["security-opt"]);
  const { pull } = values;
  const policy = pull === undefined ? undefined : checked(() => checkPullPolicy(pull));
  const stopSignal = values["stop-signal"] || undefined;
  if (stopSignal !== undefined) checked(() => parseSignal(stopSignal));
  return {
    image: values.rootfs ? resolve(options.image) : options.image,
    command: options.command,
    ...entrypoint(values.entrypoint),
    env: inheritValues(
      [...values["env-file"].flatMap(readEnvironmentFile), ...values.env],
      environment,
    ),
    groupAdd: values["group-add"],
    terminal: values.tty,
    openStdin: values.interactive,
    labels: Object.fromEntries([...values["label-file"].flatMap(readLabelFile), ...values.label]),
    init: values.init,
    readOnly: values["read-only"],
    privileged: values.privileged,
    ...(values.device.length > 0 ? { devices: values.device } : {}),
    ...(values["device-cgroup-rule"].length > 0
      ? { deviceRules: values["device-cgroup-rule"] }
      : {}),
    ...given("pidMode", values.pid),
    ...given("ipcMode", values.ipc === "private" ? undefined : values.ipc),
    ...given("userNamespace", values.userns === "private" ? values.userns : undefined),
    autoRemove: values.rm,
    ...mounts(values),
    resources: resources(values),
    ulimits: values.ulimit,
    capAdd: values["cap-add"],
    capDrop: values["cap-drop"],
    seccomp: values.privileged && values["security-opt"].length === 0 ? "unconfined" : seccomp,
    noNewPrivileges,
    sysctls: Object.fromEntries(values.sysctl),
    extraHosts: values["add-host"],
    dns: {
      servers: values.dns,
      search: values["dns-search"],
      options: values["dns-option"],
    },
    network: values.network[0] ?? "default",
    networking: networking(values),
    ...given("pull", policy),
    machine: { accelerator: values.accel ?? "auto", backend: values.vmm ?? "auto" },
    // an empty word is no word, as with Docker
    ...given("platform", values.platform || undefined),
    ...given("name", values.name || undefined),
    ...given("workingDirectory", values.workdir || undefined),
    ...given("user", values.user || undefined),
    ...given("hostname", values.hostname || undefined),
    ...given("domainname", values.domainname || undefined),
    ...given("stopSignal", stopSignal),
    ...given("stopTimeout", values["stop-timeout"]),
    ...given("shmSize", values["shm-size"]),
    ...storage(values["storage-opt"]),
    ...(values.rootfs ? { rootfs: resolve(options.image) } : {}),
    ...given("oomScoreAdj", values["oom-score-adj"]),
  };
}

function resources(values: RunValues): ContainerConfig["resources"] {
  return {
    ...given("memory", values.memory),
    ...given("memoryReservation", values["memory-reservation"]),
    ...given("memorySwap", values["memory-swap"]),
    ...given("nanoCpus", values.cpus),
    ...given("cpuShares", values["cpu-shares"]),
    ...given("cpuQuota", values["cpu-quota"]),
    ...given("cpuPeriod", values["cpu-period"]),
    ...given("cpusetCpus", values["cpuset-cpus"]),
    ...given("cpusetMems", values["cpuset-mems"] || undefined),
    ...given("pids", values["pids-limit"]),
    ...given("blkioWeight", values["blkio-weight"] || undefined),
    ...(values["oom-kill-disable"] ? { oomKillDisable: true } : {}),
    ...given("memorySwappiness", swappiness(values["memory-swappiness"])),
    ...deviceRates(values),
  };
}

/** Those of --tmpfs, --volume and --mount, and those of other containers. */
function mounts(values: RunValues): Pick<ContainerConfig, "tmpfs" | "mounts" | "volumesFrom"> {
  const driver = values["volume-driver"] || undefined;
  const short = values.volume.map((mount) =>
    mount.type === "volume" && driver !== undefined ? { ...mount, driver } : mount,
  );
  const long = values.mount.flatMap((each) => ("mount" in each ? [each.mount] : []));
  const all = [...short, ...long];
  const from = values["volumes-from"];
  return {
    tmpfs: [...values.tmpfs, ...values.mount.flatMap((e) => ("tmpfs" in e ? [e.tmpfs] : []))],
    ...(all.length > 0 ? { mounts: all } : {}),
    ...(from.length > 0 ? { volumesFrom: from } : {}),
  };
}

/** -1 is Docker's word for nothing asked. */
function swappiness(value: number | undefined): number | undefined {
  return value === -1 ? undefined : value;
}

function deviceRates(values: RunValues): Pick<ContainerConfig["resources"], "deviceRates"> {
  const rates = {
    readBps: values["device-read-bps"],
    writeBps: values["device-write-bps"],
    readIops: values["device-read-iops"],
    writeIops: values["device-write-iops"],
  };
  const given = Object.entries(rates).filter(([, list]) => list.length > 0);
  return given.length > 0 ? { deviceRates: Object.fromEntries(given) } : {};
}

/** An empty entrypoint takes the image's away. */
function entrypoint(value: string | undefined): Pick<ContainerConfig, "entrypoint"> {
  if (value === undefined) return {};
  return { entrypoint: value === "" ? [] : [value] };
}

function storage(
  options: readonly (readonly [string, string])[],
): Pick<ContainerConfig, "storageSize" | "storageDriver"> {
  let chosen: Pick<ContainerConfig, "storageSize" | "storageDriver"> = {};
  for (const [key, value] of options) {
    if (key === "size") chosen = { ...chosen, storageSize: checked(() => parseMemorySize(value)) };
    else if (key === "driver") {
      chosen = { ...chosen, storageDriver: checked(() => parseStorageDriver(value)) };
    } else throw cliError("CONFLICT", `unknown storage option: ${key}`);
  }
  return chosen;
}

/** What each mode makes of it, and refuses, is the engine's. */
function networking(values: RunValues): NonNullable<ContainerConfig["networking"]> {
  const ports = values.publish.flat();
  return {
    ...(ports.length > 0 ? { ports } : {}),
    ...(values["publish-all"] ? { publishAll: true } : {}),
    ...(values.expose.length > 0 ? { exposed: values.expose } : {}),
    ...(values["network-alias"].length > 0 ? { aliases: values["network-alias"] } : {}),
    ...(values.network.length > 1 ? { further: values.network.slice(1) } : {}),
    ...given("mac", values["mac-address"]),
    ...given("ip", values.ip),
    ...given("ip6", values.ip6),
    ...given("egress", values.egress || undefined),
    ...given("rate", values["network-rate"] || undefined),
  };
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw cliError("CONFLICT", error instanceof Error ? error.message : String(error));
  }
}

function given<K extends string, T>(
  key: K,
  value: T | undefined,
): { readonly [P in K]?: Exclude<T, undefined> } {
  return (value === undefined ? {} : { [key]: value }) as {
    readonly [P in K]?: Exclude<T, undefined>;
  };
}
