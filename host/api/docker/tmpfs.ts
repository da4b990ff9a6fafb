/** Tmpfs mounts: HostConfig.Tmpfs and the mounts of type tmpfs in HostConfig.Mounts. */

import type { TmpfsMount } from "../../engine/container-config.ts";
import type { HostConfigBody, MountBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

/** What Docker mounts a tmpfs with unless told otherwise (moby daemon/oci_linux.go). */
const DEFAULTS = ["noexec", "nosuid", "nodev"];
const OPPOSITES: Readonly<Record<string, string>> = {
  exec: "noexec",
  suid: "nosuid",
  dev: "nodev",
};
const FLAGS =
  /^(?:no)?(?:exec|suid|dev|atime|diratime)$|^(?:ro|rw|relatime|strictatime|sync|async|private|rprivate)$/;
const VALUES =
  /^(?:size=\d+[kmgKMG%]?|mode=[0-7]{1,4}|uid=\d+|gid=\d+|nr_inodes=\d+[kmgKMG]?|nr_blocks=\d+[kmgKMG]?)$/;

/** @throws DvmError `BAD_REQUEST` that names the option or path */
export function tmpfsMounts(host: Pick<HostConfigBody, "Tmpfs" | "Mounts">): TmpfsMount[] {
  const short = Object.entries(host.Tmpfs).map(([destination, options]) =>
    tmpfsMount(
      destination,
      options.split(",").filter((option) => option !== ""),
    ),
  );
  return [...short, ...host.Mounts.filter(({ Type }) => Type === "tmpfs").map(fromMount)];
}

function fromMount({ Target, ReadOnly, TmpfsOptions }: MountBody): TmpfsMount {
  const { SizeBytes = 0, Mode = 0 } = TmpfsOptions ?? {};
  return tmpfsMount(Target, [
    ...(ReadOnly ? ["ro"] : []),
    ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
    ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
  ]);
}

function tmpfsMount(destination: string, given: readonly string[]): TmpfsMount {
  if (!destination.startsWith("/") || destination.includes("\0")) {
    const text = destination.slice(0, 200);
    throw apiError("BAD_REQUEST", `invalid mount path: '${text}' mount path must be absolute`);
  }
  if (/^\/+$/.test(destination)) {
    throw apiError("BAD_REQUEST", "invalid specification: destination can't be '/'");
  }
  for (const option of given) {
    if (FLAGS.test(option) || VALUES.test(option)) continue;
    throw apiError("BAD_REQUEST", `invalid tmpfs option ${JSON.stringify(option.slice(0, 100))}`);
  }
  const overridden = new Set(given.map((option) => OPPOSITES[option] ?? option));
  const options = [...DEFAULTS.filter((option) => !overridden.has(option)), ...given];
  return { destination, options };
}
