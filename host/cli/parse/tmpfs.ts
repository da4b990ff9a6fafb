/** --tmpfs PATH[:OPTIONS]. */

export interface TmpfsMount {
  /** path in the container */
  readonly destination: string;
  /** options as mount(8) writes them */
  readonly options: readonly string[];
}

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

/** @throws Error that names the option or path that is refused */
export function parseTmpfs(text: string): TmpfsMount {
  const colon = text.indexOf(":");
  const destination = colon < 0 ? text : text.slice(0, colon);
  const given =
    colon < 0
      ? []
      : text
          .slice(colon + 1)
          .split(",")
          .filter((option) => option !== "");
  if (!destination.startsWith("/")) {
    throw new Error(`invalid mount path: '${destination}' mount path must be absolute`);
  }
  if (/^\/+$/.test(destination)) throw new Error("invalid specification: destination can't be '/'");
  for (const option of given) {
    if (!FLAGS.test(option) && !VALUES.test(option))
      throw new Error(`invalid tmpfs option ${JSON.stringify(option)}`);
  }
  const overridden = new Set(given.map((option) => OPPOSITES[option] ?? option));
  const options = [...DEFAULTS.filter((option) => !overridden.has(option)), ...given];
  return { destination, options };
}
