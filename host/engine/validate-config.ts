/** The rules that Docker's daemon has for a container's configuration (moby daemon/daemon_unix.go, container.go). */

import { availableParallelism } from "node:os";
import type { ContainerConfig, ResourceConfig } from "./container-config.ts";
import { NAME_PATTERN } from "./container-name.ts";
import { parseCpuList } from "./cpu-list.ts";
import { engineError } from "./errors.ts";
import { checkMounts } from "./volumes/check-mounts.ts";

/** Least memory that a container may be limited to, in `bytes` (moby linuxMinMemory). */
const MIN_MEMORY = 6 * 1024 * 1024;
const MIN_MEMORY_TEXT = "6MB";
/** Bounds of the CFS period and quota, in `microseconds`. */
const MIN_CFS = 1000;
const MAX_CFS = 1_000_000;
/** Longest name of a host on Linux, in `bytes` (uapi/linux/utsname.h __NEW_UTS_LEN). */
const MAX_HOSTNAME = 64;
/** Longest argument or variable of a process, in `bytes` (uapi/linux/binfmts.h MAX_ARG_STRLEN). */
const MAX_WORD = 128 * 1024;
/** Most arguments, or variables, that a message to the guest holds; some are the image's. */
const MAX_WORDS = 16_000;
/** Most that they may have together, in `bytes`: a message of 1 MiB, and room for the quotes of JSON. */
const MAX_WORD_BYTES = 900 * 1024;
/** The smallest disk that ext4 is of use on, in `bytes`. */
const MIN_STORAGE = 16 * 1024 * 1024;

/** The capabilities of Linux 5.9 and later, without `CAP_` (uapi/linux/capability.h). */
const CAPABILITIES: ReadonlySet<string> = new Set(
  `ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
  DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD
  NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN
  SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME
  SYS_TTY_CONFIG WAKE_ALARM`.split(/\s+/),
);

/** @throws DvmError `CONFIG_INVALID` for the first rule that is broken */
export function validateConfig(
  config: ContainerConfig,
  cpus: number = availableParallelism(),
): void {
  validateNames(config);
  validateMemory(config.resources);
  validateCpu(config.resources, cpus);
  validateProcess(config);
  checkMounts(config);
  validateCapabilities("CapAdd", config.capAdd);
  validateCapabilities("CapDrop", config.capDrop);
  if (config.storageSize !== undefined && config.storageSize < MIN_STORAGE) {
    throw invalid(`storage option size is ${config.storageSize} bytes, at least ${MIN_STORAGE}`);
  }
}

/** The name as the guest wants it: upper case, without `CAP_`. */
export function normaliseCapability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, "");
}

function validateNames(config: ContainerConfig): void {
  if (config.name !== undefined && !NAME_PATTERN.test(config.name)) {
    throw invalid(
      `invalid container name (${config.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
  for (const name of [config.hostname, config.domainname]) {
    if (name === undefined) continue;
    const fits = Buffer.byteLength(name) <= MAX_HOSTNAME && !/[\s\0/]/.test(name);
    if (!fits) throw invalid(`invalid hostname format: ${name}`);
  }
}

function validateMemory(limits: ResourceConfig): void {
  const { memory = 0, memoryReservation = 0, memorySwap = 0 } = limits;
  if (memory > 0 && memory < MIN_MEMORY) {
    throw invalid(`minimum memory limit allowed is ${MIN_MEMORY_TEXT}`);
  }
  if (memory > 0 && memorySwap > 0 && memorySwap < memory) {
    throw invalid("minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memory === 0 && memorySwap > 0) {
    throw invalid("you should always set the memory limit when using memoryswap limit, see usage");
  }
  const { memorySwappiness = 0 } = limits;
  if (memorySwappiness < 0 || memorySwappiness > 100) {
    throw invalid(`invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservation > 0 && memoryReservation < MIN_MEMORY) {
    throw invalid(`minimum memory reservation allowed is ${MIN_MEMORY_TEXT}`);
  }
  if (memory > 0 && memoryReservation > memory) {
    throw invalid("minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

function validateCpu(limits: ResourceConfig, cpus: number): void {
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, cpusetCpus = "", cpuShares = 0 } = limits;
  if (nanoCpus !== 0 && cpuPeriod !== 0) {
    throw invalid("conflicting options: CPUs and CPU period cannot both be set");
  }
  if (nanoCpus !== 0 && cpuQuota !== 0) {
    throw invalid("conflicting options: CPUs and CPU quota cannot both be set");
  }
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9 || (nanoCpus > 0 && nanoCpus < 1e7)) {
    throw invalid(
      `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    );
  }
  if (cpuPeriod !== 0 && (cpuPeriod < MIN_CFS || cpuPeriod > MAX_CFS)) {
    throw invalid(
      "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    );
  }
  if (cpuQuota > 0 && cpuQuota < MIN_CFS) {
    throw invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  }
  if (cpuShares < 0 || cpuShares > 262_144) {
    throw invalid(`CPU shares are from 2 to 262144, not ${cpuShares}`);
  }
  validateCpuset(cpusetCpus, cpus);
  const { cpusetMems = "", blkioWeight = 0 } = limits;
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000)) {
    throw invalid("range of blkio weight is from 10 to 1000");
  }
  if (cpusetMems !== "" && parseCpuList(cpusetMems)?.join() !== "0") {
    throw invalid(
      `requested memory nodes are not available - requested ${cpusetMems}, available: 0`,
    );
  }
}

function validateCpuset(list: string, cpus: number): void {
  if (list === "") return;
  const wanted = parseCpuList(list);
  if (wanted === undefined) throw invalid(`invalid value ${list} for cpuset cpus`);
  if (wanted.some((cpu) => cpu >= cpus)) {
    const available = cpus === 1 ? "0" : `0-${cpus - 1}`;
    throw invalid(`requested CPUs are not available - requested ${list}, available: ${available}`);
  }
}

function validateProcess(config: ContainerConfig): void {
  const { workingDirectory = "/", oomScoreAdj = 0, shmSize = 1 } = config;
  if (config.privileged && config.userNamespace === "private") {
    throw invalid("privileged mode is incompatible with a private user namespace");
  }
  if (!workingDirectory.startsWith("/")) {
    throw invalid(
      `the working directory '${workingDirectory}' is invalid, it needs to be an absolute path`,
    );
  }
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    throw invalid(`invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (shmSize < 0) throw invalid("SHM size can not be less than 0");
  const words = [...config.command, ...(config.entrypoint ?? []), ...config.env];
  if (words.some((word) => word.includes("\0"))) {
    throw invalid("a command or environment variable holds a null character");
  }
  validateExtent(words);
}

/** As exec refuses them (execve(2), `E2BIG`), and before that the message that takes them to the guest. */
function validateExtent(words: readonly string[]): void {
  let total = 0;
  for (const word of words) {
    const size = Buffer.byteLength(word) + 1;
    total += size + 8;
    if (size > MAX_WORD) {
      const start = word.slice(0, 32);
      throw tooLong(`argument or variable ${start}... has ${size - 1} bytes, at most ${MAX_WORD}`);
    }
  }
  if (words.length > MAX_WORDS) throw tooLong(`${words.length} words, at most ${MAX_WORDS}`);
  if (total > MAX_WORD_BYTES) throw tooLong(`${total} bytes, at most ${MAX_WORD_BYTES}`);
}

function tooLong(what: string): Error {
  return engineError("CONFIG_INVALID", `argument list too long: ${what}`, {
    hint: "hand large data over on standard input (-i), and fewer arguments or variables",
  });
}

function validateCapabilities(field: string, names: readonly string[]): void {
  for (const name of names) {
    if (CAPABILITIES.has(normaliseCapability(name))) continue;
    throw invalid(
      `invalid ${field}: unknown capability: ${JSON.stringify(`CAP_${normaliseCapability(name)}`)}`,
    );
  }
}

function invalid(message: string): Error {
  return engineError("CONFIG_INVALID", message);
}
