/** Docker's short form of a mount: `[SOURCE:]DESTINATION[:MODE]`, of -v and of HostConfig.Binds. */

import type { BindConfig, MountConfig } from "../../engine/volumes/mount-config.ts";

type VolumeMount = Exclude<MountConfig, BindConfig>;

/** Words that mean nothing to a virtual machine: labels of SELinux, and caches of other systems. */
const IDLE = new Set(["z", "Z", "consistent", "cached", "delegated", "private", "rprivate"]);
const ACCESS = new Set(["ro", "rw"]);
const SHARED = new Set(["shared", "rshared", "slave", "rslave"]);

/**
 * The mount that the text asks for; where it stands is checked by the engine.
 *
 * @throws Error with Docker's words (moby volume/mounts/linux_parser.go)
 */
export function parseVolume(text: string): MountConfig {
  const parts = text.split(":");
  const [first = "", second, third] = parts;
  const isModeOnly = parts.length === 2 && isMode(second ?? "");
  if (parts.length > 3 || parts.some((part) => part === "") || isModeOnly) {
    throw new Error(`invalid volume specification: '${text}'`);
  }
  if (second === undefined) return volumeMount("", first, []);
  const modes = third === undefined ? [] : third.split(",");
  if (!isMode(third ?? "ro")) throw new Error(`invalid mode: ${third}`);
  const propagation = modes.find((word) => SHARED.has(word));
  if (propagation !== undefined) {
    throw new Error(
      `invalid mode: ${propagation}: mounts do not spread between a host and a virtual machine`,
    );
  }
  return first.startsWith("/")
    ? bindMount(first, second, modes)
    : volumeMount(first, second, modes);
}

/** The short form of a mount that was asked for by it; an anonymous volume has none. */
export function volumeText(mount: MountConfig): string | undefined {
  const source = mount.type === "bind" ? mount.source : mount.name;
  if (source === "") return undefined;
  const modes = mount.modes ?? [];
  return [source, mount.destination, ...(modes.length > 0 ? [modes.join(",")] : [])].join(":");
}

/** At most one word of each kind (linuxValidMountMode). */
function isMode(text: string): boolean {
  const words = text.split(",");
  const count = (kind: (word: string) => boolean) => words.filter(kind).length;
  const known = (word: string) =>
    IDLE.has(word) || ACCESS.has(word) || SHARED.has(word) || word === "nocopy";
  return (
    words.every(known) &&
    new Set(words).size === words.length &&
    count((word) => ACCESS.has(word)) <= 1 &&
    count((word) => word === "z" || word === "Z") <= 1
  );
}

function bindMount(source: string, destination: string, modes: readonly string[]): BindConfig {
  if (modes.includes("nocopy")) throw new Error(`invalid mode: ${modes.join(",")}`);
  return {
    type: "bind",
    source,
    destination,
    readOnly: modes.includes("ro"),
    createSource: true,
    ...(modes.length > 0 ? { modes } : {}),
  };
}

function volumeMount(name: string, destination: string, modes: readonly string[]): VolumeMount {
  if (modes.some((word) => word.endsWith("private"))) {
    throw new Error(`invalid mode: ${modes.join(",")}`);
  }
  return {
    type: "volume",
    name,
    destination,
    readOnly: modes.includes("ro"),
    noCopy: modes.includes("nocopy"),
    ...(modes.length > 0 ? { modes } : {}),
  };
}
