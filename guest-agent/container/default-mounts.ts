/** What every container finds mounted, masked and made read-only: the OCI runtime-spec's and Docker's defaults. */

/** A file system that is mounted in a container's root. */
export interface DefaultMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface DefaultMountOptions {
  /** size of /dev/shm, in `bytes` */
  readonly shmSize: number;
  /** whether /sys and the cgroups may be written */
  readonly privileged: boolean;
}

/**
 * The mounts in order (OCI runtime-spec config-linux.md "Default Filesystems"; moby oci/defaults.go).
 *
 * The devpts is not among them: it is made outside, so that the agent can open its terminals, and bound in.
 */
export function defaultMounts({ shmSize, privileged }: DefaultMountOptions): DefaultMount[] {
  const access = privileged ? "rw" : "ro";
  const closed = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: closed },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...closed, access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup2",
      source: "cgroup",
      options: [...closed, access],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: closed },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: sharedMemoryOptions(shmSize),
    },
  ];
}

/** options of a container's /dev/shm. @param size in `bytes` */
export function sharedMemoryOptions(size: number): string[] {
  return ["nosuid", "noexec", "nodev", "mode=1777", `size=${size}`];
}

/** options of a container's devpts; gid 5 is `tty` everywhere. @param firstGid the guest's number of its group 0 */
export function devptsOptions(firstGid: number): string[] {
  return ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", `gid=${firstGid + 5}`];
}

/** Paths hidden from a container that is not privileged (moby oci/defaults.go); what does not exist is left out. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Paths that a container that is not privileged only reads (moby oci/defaults.go). */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** A device node below /dev, of kernel Documentation/admin-guide/devices.txt. */
export interface DefaultDevice {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** The character devices of a container (OCI runtime-spec config-linux.md "Default Devices"), mode 0666. */
export const DEFAULT_DEVICES: readonly DefaultDevice[] = [
  { name: "null", major: 1, minor: 3 },
  { name: "zero", major: 1, minor: 5 },
  { name: "full", major: 1, minor: 7 },
  { name: "random", major: 1, minor: 8 },
  { name: "urandom", major: 1, minor: 9 },
  { name: "tty", major: 5, minor: 0 },
];

/** Symbolic links below /dev: name and target. */
export const DEVICE_LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
  // runc links it whether or not it is masked
  ["core", "/proc/kcore"],
];

/** options of a tmpfs that the user asks for (moby daemon, `--tmpfs`), before the user's own */
export const TMPFS_OPTIONS: readonly string[] = ["noexec", "nosuid", "nodev"];
