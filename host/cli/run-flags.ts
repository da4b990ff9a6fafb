/** The flags of `dvm run`, with Docker's names, values and words. */

import { parseCpus } from "./parse/cpus.ts";
import { parseDevice, parseDeviceRule } from "./parse/device.ts";
import { parseDeviceBps, parseDeviceIops } from "./parse/device-rate.ts";
import { parseEnvironmentVariable } from "./parse/environment.ts";
import {
  asText,
  booleanFlag,
  type Flag,
  type FlagTable,
  type FlagValues,
  listFlag,
  valueFlag,
} from "./parse/flag-set.ts";
import { parseInteger } from "./parse/integer.ts";
import { parseLabel, parseStorageOption, parseSysctl } from "./parse/key-values.ts";
import { parseMemorySize, parseSwapSize } from "./parse/memory-size.ts";
import { parseMount } from "./parse/mount.ts";
import { parseIpcMode, parsePidMode } from "./parse/namespace-modes.ts";
import { parseDnsSearch, parseDnsServer, parseExtraHost } from "./parse/network-names.ts";
import {
  parseExpose,
  parseIp6Flag,
  parseIpFlag,
  parseMacAddress,
  parsePublish,
} from "./parse/publish.ts";
import { parseTmpfs } from "./parse/tmpfs.ts";
import { parseUlimit } from "./parse/ulimit.ts";
import { parseVolume } from "./parse/volume.ts";

const text = (help: string, short?: string) =>
  valueFlag({ placeholder: "string", help, parse: asText, ...(short ? { short } : {}) });
const texts = (help: string) => listFlag({ help, parse: asText });
const bytes = (help: string, short?: string) =>
  valueFlag({ placeholder: "bytes", help, parse: parseMemorySize, ...(short ? { short } : {}) });
const integer = (help: string, short?: string) =>
  valueFlag({ placeholder: "int", help, parse: parseInteger, ...(short ? { short } : {}) });

const STREAMS = ["stdin", "stdout", "stderr"] as const;
const ACCELERATORS = ["auto", "kvm", "tcg"] as const;
const BACKENDS = ["auto", "qemu", "kvm"] as const;
/** Docker's daemon says whether containers have one of their own, and `host` is the way out; here it is a choice. */
const USER_NAMESPACES = ["host", "private"] as const;
const PULL_POLICIES = ["always", "missing", "never"] as const;

/** They hold for the container's disks together, whichever device is named: those are files on it. */
function deviceRateFlags() {
  const bps = (help: string) => listFlag({ help, parse: parseDeviceBps });
  const iops = (help: string) => listFlag({ help, parse: parseDeviceIops });
  return {
    "device-read-bps": bps("Limit read rate (bytes per second) from a device"),
    "device-read-iops": iops("Limit read rate (IO per second) from a device"),
    "device-write-bps": bps("Limit write rate (bytes per second) to a device"),
    "device-write-iops": iops("Limit write rate (IO per second) to a device"),
  };
}

const supported = {
  "add-host": listFlag({
    help: "Add a custom host-to-IP mapping (host:ip, or host:host-gateway)",
    parse: parseExtraHost,
  }),
  attach: listFlag({
    short: "a",
    help: "Attach to STDIN, STDOUT or STDERR",
    parse: (value) =>
      oneOf(STREAMS, value.toLowerCase(), "valid streams are STDIN, STDOUT and STDERR"),
  }),
  "cap-add": texts("Add Linux capabilities"),
  "cap-drop": texts("Drop Linux capabilities"),
  cidfile: text("Write the container ID to the file"),
  "cpu-period": integer("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": integer("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": integer("CPU shares (relative weight)", "c"),
  cpus: valueFlag({ placeholder: "decimal", help: "Number of CPUs", parse: parseCpus }),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
  "blkio-weight": integer("Block IO (relative weight), between 10 and 1000, or 0 to disable"),
  device: listFlag({ help: "Add a host device to the container", parse: parseDevice }),
  "device-cgroup-rule": listFlag({
    help: "Add a rule to the cgroup allowed devices list",
    parse: parseDeviceRule,
  }),
  ...deviceRateFlags(),
  detach: booleanFlag({ short: "d", help: "Run container in background and print container ID" }),
  dns: listFlag({ help: "Set custom DNS servers", parse: parseDnsServer }),
  "dns-option": texts("Set DNS options"),
  "dns-search": listFlag({ help: "Set custom DNS search domains", parse: parseDnsSearch }),
  domainname: text("Container NIS domain name"),
  entrypoint: text("Overwrite the default ENTRYPOINT of the image"),
  env: listFlag({
    short: "e",
    help: "Set environment variables",
    parse: parseEnvironmentVariable,
  }),
  "env-file": texts("Read in a file of environment variables"),
  expose: listFlag({ help: "Expose a port or a range of ports", parse: parseExpose }),
  "group-add": texts("Add additional groups to join"),
  help: booleanFlag({ help: "Print usage" }),
  hostname: text("Container host name", "h"),
  init: booleanFlag({
    help: "Run an init inside the container that forwards signals and reaps processes",
  }),
  interactive: booleanFlag({ short: "i", help: "Keep STDIN open even if not attached" }),
  ip: valueFlag({
    placeholder: "string",
    help: "IPv4 address (e.g., 172.30.100.104)",
    parse: parseIpFlag,
  }),
  ip6: valueFlag({
    placeholder: "string",
    help: "IPv6 address (e.g., 2001:db8::33)",
    parse: parseIp6Flag,
  }),
  ipc: valueFlag({
    placeholder: "string",
    help: 'IPC mode to use ("private", "shareable", or "container:CONTAINER": that one\'s)',
    parse: parseIpcMode,
  }),
  label: listFlag({ short: "l", help: "Set meta data on a container", parse: parseLabel }),
  "label-file": texts("Read in a line delimited file of labels"),
  "mac-address": valueFlag({
    placeholder: "string",
    help: "Container MAC address (e.g., 92:d0:c6:0a:29:33)",
    parse: parseMacAddress,
  }),
  memory: bytes("Memory limit", "m"),
  "memory-reservation": bytes("Memory soft limit"),
  "memory-swap": valueFlag({
    placeholder: "bytes",
    help: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    parse: parseSwapSize,
  }),
  mount: listFlag({
    placeholder: "mount",
    help: "Attach a filesystem mount to the container",
    parse: parseMount,
  }),
  "memory-swappiness": integer("Tune container memory swappiness (0 to 100)"),
  name: text("Assign a name to the container"),
  network: listFlag({
    oldName: "net",
    placeholder: "network",
    help: "Connect a container to a network (none, user, bridge, host, container:CONTAINER, or one of your own)",
    parse: asText,
  }),
  "network-alias": listFlag({
    oldName: "net-alias",
    help: "Add network-scoped alias for the container",
    parse: asText,
  }),
  "oom-kill-disable": booleanFlag({ help: "Disable OOM Killer" }),
  "oom-score-adj": integer("Tune host's OOM preferences (-1000 to 1000)"),
  pid: valueFlag({
    placeholder: "string",
    help: 'PID namespace to use ("container:CONTAINER": that one\'s)',
    parse: parsePidMode,
  }),
  "pids-limit": integer("Tune container pids limit (set -1 for unlimited)"),
  platform: text("Set platform if server is multi-platform capable"),
  privileged: booleanFlag({ help: "Give extended privileges to this container" }),
  publish: listFlag({
    short: "p",
    help: "Publish a container's port(s) to the host",
    parse: parsePublish,
  }),
  "publish-all": booleanFlag({ short: "P", help: "Publish all exposed ports to random ports" }),
  pull: valueFlag({
    placeholder: "string",
    help: 'Pull image before running ("always", "missing", "never")',
    parse: asText,
    defaultText: '"missing"',
  }),
  quiet: booleanFlag({ short: "q", help: "Suppress the pull output" }),
  "read-only": booleanFlag({ help: "Mount the container's root filesystem as read only" }),
  rm: booleanFlag({
    help: "Automatically remove the container and its associated anonymous volumes when it exits",
  }),
  rootfs: booleanFlag({
    help: "The first argument is not an image but the folder that is the container's root",
  }),
  "security-opt": texts("Security Options"),
  "shm-size": bytes("Size of /dev/shm"),
  "sig-proxy": booleanFlag({ help: "Proxy received signals to the process", initial: true }),
  "stop-signal": text("Signal to stop the container"),
  "stop-timeout": integer("Timeout (in seconds) to stop a container"),
  "storage-opt": listFlag({
    help: "Storage driver options for the container (size=BYTES, driver=overlay|block|reflink)",
    parse: parseStorageOption,
  }),
  sysctl: listFlag({ placeholder: "map", help: "Sysctl options", parse: parseSysctl }),
  tmpfs: listFlag({ help: "Mount a tmpfs directory", parse: parseTmpfs }),
  tty: booleanFlag({ short: "t", help: "Allocate a pseudo-TTY" }),
  ulimit: listFlag({ placeholder: "ulimit", help: "Ulimit options", parse: parseUlimit }),
  user: text("Username or UID (format: <name|uid>[:<group|gid>])", "u"),
  userns: valueFlag({
    placeholder: "string",
    help: 'User namespace to use ("host": the virtual machine\'s, "private": one of its own)',
    parse: (value) => oneOf(USER_NAMESPACES, value, `must be one of ${USER_NAMESPACES.join(", ")}`),
    defaultText: '"host"',
  }),
  volume: listFlag({ short: "v", help: "Bind mount a volume", parse: parseVolume }),
  "volume-driver": text("Optional volume driver for the container"),
  "volumes-from": texts("Mount volumes from the specified container(s)"),
  workdir: text("Working directory inside the container", "w"),

  // dvm's own
  egress: text("What the container may reach (deny, public, allow=HOST[:PORT],CIDR...)"),
  "network-rate": text("Most bits per second of its network (RATE, or in=RATE,out=RATE; 10mbit)"),
  accel: valueFlag({
    placeholder: "string",
    help: 'How guest instructions are executed ("auto", "kvm", "tcg")',
    parse: (value) => oneOf(ACCELERATORS, value, `must be one of ${ACCELERATORS.join(", ")}`),
    defaultText: '"auto"',
  }),
  vmm: valueFlag({
    placeholder: "string",
    help: 'Which hypervisor runs the machine ("auto", "qemu", "kvm")',
    parse: (value) => oneOf(BACKENDS, value, `must be one of ${BACKENDS.join(", ")}`),
    defaultText: '"auto"',
  }),
  verbose: booleanFlag({ help: "Show the phases of the start with their times" }),
} as const satisfies FlagTable;

/** Flags that `docker run` has and `dvm run` has not yet: named, so that they are refused as what they are. */
const UNSUPPORTED_VALUES = `annotation blkio-weight-device cgroup-parent cgroupns cpu-rt-period
  cpu-rt-runtime detach-keys gpus health-cmd health-interval health-retries
  health-start-interval health-start-period health-timeout ipc isolation link link-local-ip
  log-driver log-opt pid restart runtime uts`.split(/\s+/);
const UNSUPPORTED_SWITCHES = ["no-healthcheck"];

const unsupported = Object.fromEntries([
  ...UNSUPPORTED_VALUES.map((entry) => unsupportedFlag(entry, "value")),
  ...UNSUPPORTED_SWITCHES.map((entry) => unsupportedFlag(entry, "")),
]);

export type RunValues = FlagValues<typeof supported>;

/** The flags that dvm knows. */
export const runFlags: typeof supported = supported;

/** Those, and the ones that Docker knows. */
export const allRunFlags = { ...unsupported, ...supported };

/** Names of the flags that are refused, each with the text it was given. */
export const unsupportedNames: ReadonlySet<string> = new Set(Object.keys(unsupported));

/** What to do in place of a flag that is refused. */
export function unsupportedHint(name: string): string {
  return HINTS[name] ?? "dvm run --help lists what is";
}

const HINTS: Readonly<Record<string, string>> = {
  "blkio-weight-device": "--blkio-weight is for all disks of the container",
  "cpu-rt-period": "a container's share is by --cpus and --cpu-shares",
  "cpu-rt-runtime": "a container's share is by --cpus and --cpu-shares",
};

/** @throws Error for another policy, with Docker's words */
export function checkPullPolicy(policy: string): (typeof PULL_POLICIES)[number] {
  return oneOf(
    PULL_POLICIES,
    policy,
    `invalid pull option: '${policy}': must be one of "always", "missing" or "never"`,
  );
}

function unsupportedFlag(entry: string, placeholder: string): readonly [string, Flag<string>] {
  const [name = "", short] = entry.split(":");
  const flag: Flag<string> = {
    placeholder,
    help: "",
    initial: "",
    hidden: true,
    take: (value) => value,
    ...(short ? { short } : {}),
  };
  return [name, flag];
}

function oneOf<const T extends string>(choices: readonly T[], value: string, refusal: string): T {
  for (const choice of choices) if (choice === value) return choice;
  throw new Error(refusal);
}
