/**
 * Finds out whether this host's KVM runs Linux, by running something and timing it: that the KVM device opens says
 * little, for there are KVMs that interpret every instruction of a guest's kernel.
 */

import { execFile } from "node:child_process";
import { access, constants, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KvmMeasurement } from "../sys/kvm-probe.ts";
import { VmmError } from "./errors.ts";
import type { Accelerator } from "./hypervisor.ts";

/** What `--accel` may ask for. */
export type AcceleratorRequest = Accelerator | "auto";

export type KvmVerdict =
  | { readonly usable: true; readonly nanoseconds: number }
  | {
      readonly usable: false;
      /** why not, to be read after "KVM is not used: " */
      readonly reason: string;
      /** what could be done about it */
      readonly hint?: string;
      /** whether it can be tried nevertheless, at the user's own risk */
      readonly forcible: boolean;
    };

export interface HostProbe {
  readonly kvm: KvmVerdict;
  /** frequency of the time stamp counter, in `kHz`; undefined where it has none that stays */
  readonly tscKhz: number | undefined;
}

export interface ProbeOptions {
  /** folder that keeps the findings until the next boot */
  readonly cacheDirectory: string;
  readonly device?: string;
}

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** why this one, for `--verbose` and `dvm doctor` */
  readonly reason: string;
}

/** What one boot of the host was found to be; null stands for "measured, and there is none". */
interface Findings {
  /** what the findings hold for: boot and modules */
  readonly key: string;
  readonly tscKhz?: number | null;
  readonly kvm?: KvmMeasurement | { readonly kind: "hung" };
}

/**
 * Longest time of the probe's guest, in `nanoseconds`. Hardware takes some 20,000, nested virtualization on an
 * emulated processor some 130,000; KVMs that interpret ring 0 take 10,000,000 and more.
 */
export const KVM_TIME_LIMIT = 3_000_000;

/** For the whole child, in `milliseconds`; it needs some 200, and on a host that is very busy a hundred times that. */
const CHILD_TIMEOUT = 60_000;

/**
 * Measures the host, or takes what was measured since it booted. Takes a millisecond from the cache and a quarter of
 * a second else. It never fails: what could not be found out is a KVM that is not usable.
 */
export async function probeHost({
  cacheDirectory,
  device = "/dev/kvm",
}: ProbeOptions): Promise<HostProbe> {
  const path = join(cacheDirectory, "host-probe.json");
  const [key, inaccessible] = await Promise.all([hostKey(device), accessError(device)]);
  const needsKvm = inaccessible === undefined;
  let findings = await cached(path, key);
  if (findings.tscKhz === undefined || (needsKvm && findings.kvm === undefined)) {
    findings = { ...findings, ...(await measure(needsKvm ? device : undefined)) };
    await store(path, findings);
  }
  return {
    kvm: kvmVerdict(inaccessible ?? findings.kvm ?? { kind: "hung" }, device),
    tscKhz: findings.tscKhz ?? undefined,
  };
}

/** Judges what the probe's guest did. */
export function kvmVerdict(
  measurement: NonNullable<Findings["kvm"]>,
  device = "/dev/kvm",
): KvmVerdict {
  switch (measurement.kind) {
    case "error":
      return errorVerdict(measurement, device);
    case "version":
      return unusable(`${device} has API version ${measurement.version}, not 12`);
    case "exit":
      return unusable(
        `a test guest ended with KVM exit ${measurement.reason} (${measurement.detail}): this KVM does not run all instructions that a kernel needs`,
        { forcible: true },
      );
    case "hung":
      return unusable("a test guest did not end");
    case "ran":
      break;
  }
  const { nanoseconds } = measurement;
  if (nanoseconds <= KVM_TIME_LIMIT) return { usable: true, nanoseconds };
  const [took, limit] = [nanoseconds, KVM_TIME_LIMIT].map((time) => (time / 1e6).toFixed(1));
  return unusable(
    `20,000 instructions of a test guest took ${took} ms, more than ${limit} ms: this KVM interprets kernel code`,
    { forcible: true },
  );
}

/**
 * Chooses how guests are run. Who asks for `kvm` gets it where the device can be opened: a measurement can err.
 *
 * @throws {VmmError} VMM_KVM_UNUSABLE when `kvm` is asked for and there is no way to have it
 */
export function chooseAccelerator(
  request: AcceleratorRequest,
  verdict: KvmVerdict,
): AcceleratorChoice {
  if (request === "tcg") return { accelerator: "tcg", reason: "asked for" };
  if (verdict.usable) {
    const time = `${(verdict.nanoseconds / 1e3).toFixed(0)} µs`;
    return { accelerator: "kvm", reason: `KVM runs a test guest in ${time}` };
  }
  if (request === "auto") {
    return { accelerator: "tcg", reason: `KVM is not used: ${verdict.reason}` };
  }
  if (verdict.forcible) {
    return { accelerator: "kvm", reason: `asked for, though ${verdict.reason}` };
  }
  const hint =
    verdict.hint === undefined ? {} : { hint: `${verdict.hint}, or use \`--accel tcg\`` };
  throw new VmmError("VMM_KVM_UNUSABLE", `KVM is not usable: ${verdict.reason}`, hint);
}

function errorVerdict(
  { call, errno }: { readonly call: string; readonly errno: string },
  device: string,
): KvmVerdict {
  if (call !== "open") return unusable(`${call} on ${device} failed with ${errno}`);
  switch (errno) {
    case "ENOENT":
      return unusable(`there is no ${device}`, { hint: "enable virtualization in the firmware" });
    case "EACCES":
    case "EPERM":
      return unusable(`no permission to open ${device}`, { hint: "join the group `kvm`" });
    default:
      return unusable(`${device} cannot be opened: ${errno}`);
  }
}

function unusable(
  reason: string,
  { forcible = false, hint }: { readonly forcible?: boolean; readonly hint?: string } = {},
): KvmVerdict {
  return { usable: false, reason, forcible, ...(hint === undefined ? {} : { hint }) };
}

async function accessError(device: string): Promise<KvmMeasurement | undefined> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const errno = error instanceof Error && "code" in error ? String(error.code) : "EIO";
    return { kind: "error", call: "open", errno };
  }
}

/** The boot, and the KVM modules that are loaded: another one may be loaded at any time. */
async function hostKey(device: string): Promise<string> {
  const [boot, modules] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    readdir("/sys/module").catch(() => []),
  ]);
  const kvmModules = modules.filter((name) => name.startsWith("kvm")).sort();
  return ["v1", boot.trim(), device, ...kvmModules].join(" ");
}

/** What the file says, if it is about `key`; a file that cannot be read says nothing. */
async function cached(path: string, key: string): Promise<Findings> {
  try {
    const findings: unknown = JSON.parse(await readFile(path, "utf8"));
    return isFindings(findings) && findings.key === key ? findings : { key };
  } catch {
    return { key };
  }
}

/** Replaces the file as a whole. Without it the next start measures again. */
async function store(path: string, findings: Findings): Promise<void> {
  // A KVM that could not be asked may be asked tomorrow.
  const { kvm, ...rest } = findings;
  const lasting = kvm === undefined || kvm.kind === "error" ? rest : { ...rest, kvm };
  try {
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}`;
    await writeFile(temporary, JSON.stringify(lasting));
    await rename(temporary, path);
  } catch {
    // A cache that cannot be written costs time only.
  }
}

/** Runs the child; `device` undefined leaves KVM out. */
async function measure(device: string | undefined): Promise<Partial<Findings>> {
  const script = join(import.meta.dirname, "../sys/host-probe.ts");
  const args = device === undefined ? [script] : [script, device];
  const output = await new Promise<string>((resolve) => {
    const options = { timeout: CHILD_TIMEOUT, killSignal: "SIGKILL" as const };
    execFile(process.execPath, args, options, (_error, stdout) => resolve(stdout));
  });
  const found: Partial<Findings> = Object.assign(
    { tscKhz: null },
    ...output.split("\n").map(finding),
  );
  if (device === undefined || found.kvm !== undefined) return found;
  // It says something before it turns to KVM: one that has not come so far tells nothing about it.
  const late: KvmMeasurement = { kind: "error", call: "a measurement", errno: "ETIMEDOUT" };
  return { ...found, kvm: output === "" ? late : { kind: "hung" } };
}

function finding(line: string): Partial<Findings> {
  if (line === "") return {};
  const value: unknown = JSON.parse(line);
  return isFindings(value) ? value : {};
}

/** Checks the shape of what our own child or our own cache says; the cache may be damaged. */
function isFindings(value: unknown): value is Findings {
  if (typeof value !== "object" || value === null) return false;
  const tscKhz = "tscKhz" in value ? value.tscKhz : null;
  const kvm = "kvm" in value ? value.kvm : { kind: "hung" };
  return (tscKhz === null || isCount(tscKhz)) && isMeasurement(kvm);
}

function isMeasurement(value: unknown): value is NonNullable<Findings["kvm"]> {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  switch (value.kind) {
    case "ran":
      return "nanoseconds" in value && isCount(value.nanoseconds);
    case "exit":
      return (
        "reason" in value && isCount(value.reason) && "detail" in value && isCount(value.detail)
      );
    case "version":
      return "version" in value && isCount(value.version);
    case "error":
      return (
        "call" in value &&
        typeof value.call === "string" &&
        "errno" in value &&
        typeof value.errno === "string"
      );
    default:
      return value.kind === "hung";
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
